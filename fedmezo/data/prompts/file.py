"""Prompt templates of the user's own: a YAML file of two texts, ``with_input`` and ``without_input``."""

from pathlib import Path

import yaml

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import listing, nearest
from fedmezo.data.prompts.template import PLACEHOLDER, Template

SUFFIXES = (".yaml", ".yml")
# the places that each text has to have
FORMS = {"with_input": {"instruction", "input"}, "without_input": {"instruction"}}


def read_template(path: Path) -> Template:
    """Return the template of a file.

    Raises:
        ConfigurationError: the file cannot be read, or is none; the message names file and line.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"data.prompt = {path}\n    {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"data.prompt = {path}\n    not UTF-8 text (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        raise _wrong(path, error.problem_mark, f"not YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"data.prompt = {path}\n    not YAML: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise _wrong(path, root.start_mark if root else None, f"expected {' and '.join(FORMS)}")
    texts = _texts(path, root)
    return Template(texts["with_input"], texts["without_input"])


def _texts(path: Path, root: yaml.MappingNode) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in root.value:
        name = str(key.value)
        if name not in FORMS or name in texts:
            hint = "" if name in FORMS else nearest(name, FORMS)
            raise _wrong(path, key.start_mark, f"{name}: expected {' and '.join(FORMS)}, once each{hint}")
        texts[name] = _text(path, name, value)
    if absent := [name for name in FORMS if name not in texts]:
        raise _wrong(path, root.start_mark, f"{listing(absent)} is missing")
    return texts


def _text(path: Path, name: str, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        raise _wrong(path, node.start_mark, f"{name}: expected a text")
    found = set(PLACEHOLDER.findall(node.value))
    if found != FORMS[name]:
        raise _wrong(
            path, node.start_mark, f"{name}: expected {_places(FORMS[name])} in the text, found {_places(found)}"
        )
    return str(node.value)


def _places(names: set[str]) -> str:
    return " and ".join(f"{{{name}}}" for name in sorted(names, reverse=True)) or "neither"


def _wrong(path: Path, mark: yaml.Mark | None, message: str) -> ConfigurationError:
    return ConfigurationError(f"data.prompt = {path}\n    {path}:{mark.line + 1 if mark else 1}: {message}")
