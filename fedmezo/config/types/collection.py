"""Lists, mappings of arguments, and values of any form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yaml import Node, ScalarNode

from fedmezo.config.types.field_type import FieldType
from fedmezo.config.types.number import DECIMAL, number
from fedmezo.core.documents.nodes import (
    NUMERIC,
    UnfitError,
    is_bracketed,
    is_mapping,
    is_quoted,
    items,
    literal_unless,
    other_number,
    pairs,
    scalar,
    typed,
)
from fedmezo.core.documents.problems import Problems
from fedmezo.core.text import nearest


@dataclass(frozen=True)
class ListOf(FieldType):
    """A list of ``least`` to ``most`` items of one kind, as a tuple; a single value is a list of one."""

    item: FieldType
    least: int = 0
    most: int | None = None

    def describe(self) -> str:
        """Return what is allowed."""
        if self.least == self.most:
            count = f" of {self.least}"
        else:
            count = f" of at least {self.least}" if self.least else ""
            count += f" of at most {self.most}" if self.most else ""
        return f"a list{count}, each {self.item.describe()}"

    def typed(self, text: str) -> Node:
        """Return the node of a list in brackets, or of the one item that the text is."""
        node = literal_unless(is_bracketed, text)
        return node if is_bracketed(node) else self.item.typed(text)

    def convert(self, node: Node, key: str, problems: Problems) -> tuple[Any, ...] | None:
        """Return the items."""
        nodes = items(node)
        if nodes is None:
            nodes = [node]
        if len(nodes) < self.least or (self.most is not None and len(nodes) > self.most):
            problems.reject(node, key, f"expected {self.describe()}")
            return None
        return tuple(self.item.convert(each, f"{key}[{i}]", problems) for i, each in enumerate(nodes))

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return what the kind of the items objects to."""
        found = (self.item.objection(item, extensions) for item in value)
        return next((each for each in found if each), "")


class Anything(FieldType):
    """A value that is passed on: a finite number, truth value, text, null, or a list or mapping of these."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "a number, True, False, null, text, or a list or mapping of these"

    def typed(self, text: str) -> Node:
        """Return the node of a value; what YAML would cut at a `` #`` or take apart at a ``: `` is text as it is."""
        if text.startswith(("[", "{")):
            return typed(text)
        return literal_unless(lambda node: is_bracketed(node) or is_quoted(node) or node.value == text, text)

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the value: lists as tuples, mappings as dicts, unquoted ``1e-2`` and ``010`` as numbers."""
        if (nodes := items(node)) is not None:
            return tuple(self.convert(each, f"{key}[{i}]", problems) for i, each in enumerate(nodes))
        if is_mapping(node):
            return Arguments().convert(node, key, problems)
        try:
            return self._single(node)
        except UnfitError as error:
            problems.reject(node, key, f"expected {self.describe()}{error}")
            return None

    def _single(self, node: Node) -> Any:
        if other_number(node):
            raise UnfitError(f"{DECIMAL}; text in quotes")
        value = scalar(node)
        plain = isinstance(node, ScalarNode) and node.style is None
        numeric = isinstance(value, str) and plain and NUMERIC.fullmatch(value)
        return number(value) if numeric or isinstance(value, float) else value


@dataclass(frozen=True)
class Arguments(FieldType):
    """A mapping of named arguments, as a dict: some of a known kind, any others passed on, or refused unless ``open``.

    A known argument that is left out has its value of ``defaults``.
    """

    known: Mapping[str, FieldType] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    open: bool = True

    def describe(self) -> str:
        """Return what is allowed."""
        listed = ", ".join(f"{name} ({kind.describe()})" for name, kind in self.known.items())
        return (
            "a mapping of arguments"
            + (f": {listed}" if listed else "")
            + (", and any others" if listed and self.open else "")
        )

    def convert(self, node: Node, key: str, problems: Problems) -> dict[str, Any] | None:
        """Return the arguments."""
        if not is_mapping(node):
            problems.reject(node, key, f"expected {self.describe()}")
            return None
        arguments = dict(self.defaults)
        for pair in pairs(node):
            name = f"{key}.{pair.word}"
            if wrong := pair.wrong or self._unknown(pair.word):
                problems.reject(pair.value, name, wrong, at=pair.key)
            else:
                kind = self.known.get(pair.word, Anything())
                arguments[pair.word] = kind.convert(pair.value, name, problems)
        return arguments

    def _unknown(self, word: str) -> str:
        """Return why there is no such argument; empty where there is."""
        if self.open or word in self.known:
            return ""
        return f"no such argument; there are {', '.join(self.known)}{nearest(word, self.known)}"
