"""What a kind of value is: words for what is allowed, and the way from a YAML node to a value."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yaml import Node

from fedmezo.core.documents.nodes import Scalar, UnfitError, is_null, is_quoted, literal_unless, scalar, typed
from fedmezo.core.documents.problems import Problems

NULLS = ("null", "Null", "NULL", "~")


class FieldType(ABC):
    """A kind of value."""

    @abstractmethod
    def describe(self) -> str:
        """Return what is allowed, to stand behind "expected"."""

    @abstractmethod
    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the value in a node; where it is not allowed, note that in ``problems`` and return None."""

    def typed(self, text: str) -> Node:
        """Return the node of a value on the command line.

        Raises:
            yaml.YAMLError: it is not YAML, which it has to be unless a kind says otherwise.
        """
        return typed(text)

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return what is wrong with a converted value once the configuration's extensions are known; else nothing."""
        return ""


class ScalarType(FieldType):
    """A kind of single value."""

    @abstractmethod
    def accept(self, value: Scalar) -> Any:
        """Return the value in its final form.

        Raises:
            UnfitError: it is not allowed.
        """

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the accepted value of a node."""
        try:
            return self.accept(scalar(node))
        except UnfitError as error:
            problems.reject(node, key, f"expected {self.describe()}{error}")
            return None


class Textual(FieldType):
    """A kind of text: on the command line it is taken as it is, unless it is in quotes."""

    def typed(self, text: str) -> Node:
        """Return the node of a text."""
        return literal_unless(is_quoted, text)


@dataclass(frozen=True)
class Nullable(FieldType):
    """A kind, or null."""

    kind: FieldType

    def describe(self) -> str:
        """Return what is allowed."""
        return f"{self.kind.describe()}, or null"

    def typed(self, text: str) -> Node:
        """Return the node of null, or of what the kind is."""
        return typed(text) if text in NULLS else self.kind.typed(text)

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return None for null, else what the kind makes of the node."""
        if is_null(node):
            return None
        found = Problems()
        value = self.kind.convert(node, key, found)
        if found:
            problems.reject(node, key, f"expected {self.describe()}")
        return value


@dataclass(frozen=True)
class OrWord(ScalarType):
    """A kind of single value, or a word."""

    kind: ScalarType
    word: str

    def describe(self) -> str:
        """Return what is allowed."""
        return f"{self.kind.describe()}, or {self.word}"

    def accept(self, value: Scalar) -> Any:
        """Return the word, or what the kind accepts."""
        return value if value == self.word else self.kind.accept(value)


@dataclass(frozen=True)
class Synonyms(FieldType):
    """A kind some of whose values are only another way to say one of the others."""

    kind: FieldType
    meanings: Mapping[Any, Any]

    def describe(self) -> str:
        """Return what is allowed."""
        return self.kind.describe()

    def typed(self, text: str) -> Node:
        """Return the kind's node."""
        return self.kind.typed(text)

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the kind's value, replaced by the one that it stands for."""
        value = self.kind.convert(node, key, problems)
        return self.meanings.get(value, value)

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return what the kind objects to."""
        return self.kind.objection(value, extensions)
