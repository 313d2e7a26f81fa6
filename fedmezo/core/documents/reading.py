"""YAML files that are no configuration, but name keys of one: suites and sweeps."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from fedmezo.core.documents.nodes import NUMERIC, DecimalLoader, located
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.text import nearest


class _Loader(DecimalLoader):
    """The loader to which ``010`` and ``1e-3`` are numbers, and a key that is given twice a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            if key.value in first:
                message = f"{key.value} is given twice; the first is at line {first[key.value].line + 1}"
                raise ConstructorError(None, None, message, key.start_mark)
            first[key.value] = key.start_mark
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"(?:{NUMERIC.pattern})$"), list("-+.0123456789"))


def read_document(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        ConfigurationError: there is no such file, or it holds no mapping.
    """
    problems = Problems()
    text = read_text(path, problems)
    tree: Any = None if text is None else _tree(path, text, problems)
    if not problems and not isinstance(tree, dict):
        problems.append(Problem(str(path), "", "", "expected a mapping"))
    problems.raise_if_any()
    document: dict[str, Any] = tree
    return document


def check_keys(
    path: Path, tree: Any, needed: Sequence[str], known: Sequence[str], problems: Problems, where: str = ""
) -> None:
    """Note the keys of a file's mapping that are unknown, and those that are missing.

    Args:
        path: of the file.
        tree: the mapping.
        needed: keys that it must have.
        known: all keys that it may have.
        problems: takes what is wrong.
        where: the mapping's own key, with a dot; empty for the file itself.
    """
    if not isinstance(tree, dict):
        wanted = f"expected a mapping with {', '.join(known)}"
        problems.append(Problem(str(path), where.rstrip("."), str(tree), wanted))
        return
    for key in tree:
        if key not in known:
            message = f"there is no such key{nearest(str(key), known)}"
            problems.append(Problem(str(path), f"{where}{key}", "", message))
    problems += [Problem(str(path), f"{where}{key}", "", "is missing") for key in needed if key not in tree]


def read_text(path: Path, problems: Problems) -> str | None:
    """Return the text of a file; None, and what is wrong noted, if there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        others = (other.name for other in path.parent.glob("*.y*ml"))
        problems.append(Problem(str(path), "", "", f"no such file{nearest(path.name, others)}"))
    except UnicodeDecodeError:
        problems.append(Problem(str(path), "", "", "is not text in UTF-8"))
    return None


def _tree(path: Path, text: str, problems: Problems) -> Any:
    try:
        return _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        problems.append(syntax_problem(error, text, str(path)))
        return None


def syntax_problem(error: yaml.YAMLError, text: str, source: str, key: str = "") -> Problem:
    """Return the problem of a text that is not YAML."""
    line, words = 0, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        words = ", ".join(part for part in (error.context, error.problem) if part)
        line = error.problem_mark.line if error.problem_mark else 0
    elif isinstance(error, yaml.reader.ReaderError):
        words = error.reason
        line = text.count("\n", 0, error.position)
    return Problem(located(source, line), key, text if key else "", f"not YAML: {words}")
