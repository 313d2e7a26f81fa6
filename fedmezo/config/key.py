"""A key of the configuration, and a section of keys."""

from dataclasses import dataclass
from typing import Any

from fedmezo.config.types.field_type import FieldType


@dataclass(frozen=True)
class Key:
    """A key: its dotted name, default value (lists as tuples), kind of value, and one line of help.

    With ``no_effect`` the key is accepted because configurations of the reference system hold it; the help
    then says why nothing follows from it.

    A key that came after runs were recorded says ``since`` which version it is there, and what versions ``before`` did:
    that is its value in the runs of these versions, which so go on, and are replayed, as they began.
    """

    name: str
    default: Any
    kind: FieldType
    help: str
    no_effect: bool = False
    since: str = ""
    before: Any = None

    @property
    def summary(self) -> str:
        """The help text, which says so where the key has no effect."""
        return f"Accepted; no effect: {self.help}" if self.no_effect else self.help


@dataclass(frozen=True)
class Section:
    """Keys that belong together. ``open_names`` are the groups that take further keys of any name."""

    name: str
    help: str
    keys: tuple[Key, ...]
    open_names: tuple[str, ...] = ()
