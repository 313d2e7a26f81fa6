"""Registries: one file and one ``@register("name")`` line add a trainer, strategy, splitter, dataset or engine.

The names of a kind are read from the sources with :mod:`ast`, so that a configuration can be checked without
importing (and executing) any of them; the file that holds a name is imported when the name is first used.
"""

import ast
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


def declared_names(folder: Path) -> dict[str, str]:
    """Return ``{registered name: module name}`` of the ``@register("name")`` lines in a folder, in name order."""
    names: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for decorator in getattr(node, "decorator_list", []):
                match decorator:
                    case ast.Call(func=ast.Name(id="register"), args=[ast.Constant(value=str(name))]):
                        names[name] = path.stem
    return dict(sorted(names.items()))


class Registry(Generic[T]):
    """The things of one kind, by the name a configuration uses.

    Args:
        kind: what is registered, in words, for messages.
        package: the package whose files register them.

    Examples:
        >>> from fedmezo.strategies import registry
        >>> "frozen" in registry.names()
        True
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return the decorator that registers a thing under ``name``; a second claim to a name is an error."""

        def decorate(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return decorate

    def names(self) -> dict[str, str]:
        """Return ``{name: module}`` as declared in the package's files, without importing them."""
        spec = importlib.util.find_spec(self.package)
        assert spec is not None and spec.origin is not None
        return declared_names(Path(spec.origin).parent)

    def __getitem__(self, name: str) -> T:
        """Return the entry of a name, importing its file first.

        Raises:
            KeyError: nothing of that name is declared.
        """
        if name not in self._entries:
            importlib.import_module(f"{self.package}.{self.names()[name]}")
        return self._entries[name]
