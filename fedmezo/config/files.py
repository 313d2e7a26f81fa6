"""Reading a file and the files that it builds on."""

from pathlib import Path

import yaml

from fedmezo.config.schema import BASE
from fedmezo.config.settings import Setting, Settings, read_group
from fedmezo.core.documents.nodes import compose
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import syntax_problem
from fedmezo.core.text import nearest


class _UnusableError(Exception):
    """A file cannot be read here; the text says why."""


def read_file(path: Path, problems: Problems) -> Settings:
    """Return the settings of a file; what it builds on comes first, so that later values win.

    Args:
        path: a YAML file.
        problems: takes what is wrong with it, or with a file that it builds on.
    """
    try:
        return _read(path, (), problems)
    except _UnusableError as error:
        problems.append(Problem(str(path), "", "", str(error)))
        return {}


def _read(path: Path, chain: tuple[Path, ...], problems: Problems) -> Settings:
    text = _text(path)
    chain = (*chain, path)
    if any(path.samefile(above) for above in chain[:-1]):
        raise _UnusableError(f"{' -> '.join(map(str, chain))} is a circle")
    try:
        root = compose(text, str(path))
    except yaml.YAMLError as error:
        problems.append(syntax_problem(error, text, str(path)))
        return {}
    settings = read_group(root, "", problems) if root else {}
    base = settings.pop(BASE, None)
    return (_read_bases(path.parent, base, chain, problems) if base else {}) | settings


def _read_bases(folder: Path, base: Setting, chain: tuple[Path, ...], problems: Problems) -> Settings:
    settings: Settings = {}
    for name in filter(None, base.value or ()):
        try:
            settings |= _read(folder / name, chain, problems)
        except _UnusableError as error:
            problems.reject(base.node, BASE, f"{name}: {error}")
    return settings


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        others = (other.name for other in path.parent.glob("*.y*ml"))
        raise _UnusableError(f"no such file{nearest(path.name, others)}") from error
    except OSError as error:
        raise _UnusableError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _UnusableError("is not text in UTF-8") from error
