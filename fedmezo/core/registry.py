"""Registries: one file and one ``@register("name")`` line add a trainer, strategy, splitter, dataset or engine.

The names of a kind are read from the sources with :mod:`ast`, so that a configuration can be checked without
importing (and executing) any of them; the file that holds a name is imported when the name is first used.
"""

import ast
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from fedmezo.core.former_names import current

T = TypeVar("T")


@dataclass(frozen=True)
class Declaration:
    """A line ``@register("name")``.

    Args:
        package: whose ``register`` it is.
        name: what is registered.
        line: its number.
        literals: attributes of the class that is registered, of those that its body gives as plain values.
    """

    package: str
    name: str
    line: int
    literals: Mapping[str, Any] = field(default_factory=dict, compare=False)


def declarations(path: Path) -> Iterator[Declaration]:
    """Yield the ``@register("name")`` lines of a file, whatever name ``register`` was imported under.

    Raises:
        OSError: the file cannot be read.
        SyntaxError, ValueError: it is not Python.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    meanings = _imports(tree)
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            match decorator:
                case ast.Call(func=function, args=[ast.Constant(value=str(name))], lineno=line):
                    head, dot, rest = ast.unparse(function).partition(".")
                    package, _, last = f"{meanings.get(head, head)}{dot}{rest}".rpartition(".")
                    if last == "register":
                        yield Declaration(current(package), name, line, _literals(node))


def _literals(node: ast.AST) -> dict[str, Any]:
    """Return the values that the body of a class gives to names, where they are literals."""
    found: dict[str, Any] = {}
    for each in getattr(node, "body", []):
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                with suppress(ValueError):
                    found[name] = ast.literal_eval(value)
    return found


def _imports(tree: ast.Module) -> dict[str, str]:
    """Return what the imported names of a file stand for, as dotted names."""
    meanings: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                meanings |= {alias.asname: alias.name for alias in names if alias.asname}
            case ast.ImportFrom(module=str(module), names=names):
                meanings |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
    return meanings


@cache
def declared_names(folder: Path, package: str) -> dict[str, str]:
    """Return ``{registered name: module name}`` of a package's own declarations in its folder, in name order."""
    found = ((path.stem, each) for path in sorted(folder.glob("*.py")) for each in declarations(path))
    return dict(sorted((each.name, stem) for stem, each in found if each.package == package))


@cache
def described_names(folder: Path) -> dict[str, Path]:
    """Return ``{name: file}`` of what YAML files of a folder describe, ``NAME.yaml`` each, in name order."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


class Registry(Generic[T]):
    """The things of one kind, by the name a configuration uses.

    Args:
        kind: what is registered, in words, for messages.
        package: the package whose files register them.
        needs: attributes that every entry must have.

    Examples:
        >>> from fedmezo.federation.strategies import registry
        >>> "frozen" in registry.names()
        True
    """

    def __init__(self, kind: str, package: str, needs: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.package = package
        self.needs = needs
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return the decorator that registers a thing under ``name``.

        The decorator raises ValueError for a second claim to a name, TypeError where the thing lacks an attribute.
        """

        def decorate(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            for attribute in self.needs:
                if not hasattr(entry, attribute):
                    raise TypeError(f"{self.kind} {name!r} has no {attribute}")
            self._entries[name] = entry
            return entry

        return decorate

    def names(self) -> dict[str, str]:
        """Return ``{name: module}`` as declared in the package's files, without importing them."""
        spec = importlib.util.find_spec(self.package)
        assert spec is not None and spec.origin is not None
        return declared_names(Path(spec.origin).parent, self.package)

    def __contains__(self, name: str) -> bool:
        """Return whether a name is registered, by a file that was imported or by one of the package's own."""
        return name in self._entries or name in self.names()

    def __getitem__(self, name: str) -> T:
        """Return the entry of a name, importing its file first.

        Raises:
            KeyError: nothing of that name is declared.
        """
        if name not in self._entries:
            importlib.import_module(f"{self.package}.{self.names()[name]}")
        return self._entries[name]
