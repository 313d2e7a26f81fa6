"""Mappings one of whose arguments says which others there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yaml import Node

from fedmezo.config.types.collection import Arguments
from fedmezo.config.types.field_type import FieldType
from fedmezo.core.documents.nodes import is_mapping, pairs
from fedmezo.core.documents.problems import Problems


@dataclass(frozen=True)
class Variants(FieldType):
    """A mapping of arguments, of which ``selector`` chooses the variant.

    Args:
        selector: name of the argument that chooses.
        choice: its kind, whose values are the variants' names.
        variants: the arguments of each; the first where the selector is left out.
    """

    selector: str
    choice: FieldType
    variants: Mapping[str, Arguments]

    def describe(self) -> str:
        """Return what is allowed."""
        return f"a mapping of {self.selector} ({self.choice.describe()}) and its arguments"

    def convert(self, node: Node, key: str, problems: Problems) -> dict[str, Any] | None:
        """Return the arguments, completed with the variant's defaults."""
        if not is_mapping(node):
            problems.reject(node, key, f"expected {self.describe()}")
            return None
        chosen = next((pair.value for pair in pairs(node) if pair.word == self.selector), None)
        name: str | None = next(iter(self.variants))
        if chosen is not None:
            name = self.choice.convert(chosen, f"{key}.{self.selector}", problems)
        return None if name is None else self.variants[name].convert(node, key, problems)
