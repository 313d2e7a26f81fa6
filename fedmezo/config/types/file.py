"""Files of the user's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import Node

from fedmezo.config.types.field_type import Textual
from fedmezo.config.types.text import Choice, Text
from fedmezo.core.documents.nodes import full_path
from fedmezo.core.documents.problems import Problems
from fedmezo.core.run_folder import LEDGER
from fedmezo.core.text import nearest


class PythonFile(Textual):
    """A Python file, relative to the file that names it, or on the command line to the current folder."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "a Python file"

    def convert(self, node: Node, key: str, problems: Problems) -> str | None:
        """Return the full path; whether it can be read is checked for the values that win."""
        name = Text().convert(node, key, problems)
        return None if name is None else str(full_path(name, node))


class RunOrLedger(Textual):
    """The folder of a run, or a ledger, relative to the file that names it; '' for none."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "the folder of a run, a ledger, or ''"

    def convert(self, node: Node, key: str, problems: Problems) -> str | None:
        """Return the full path."""
        name = Text().convert(node, key, problems)
        return str(full_path(name, node)) if name else name

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return that there is none."""
        path = Path(value)
        if not value or path.is_file() or (path / LEDGER).is_file():
            return ""
        return f"{path}: no ledger is there{nearest(path.name, (other.name for other in path.parent.glob('*')))}"


class ExistingFile(Textual):
    """A file, relative to the file that names it; '' for none."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "a file, or ''"

    def convert(self, node: Node, key: str, problems: Problems) -> str | None:
        """Return the full path."""
        name = Text().convert(node, key, problems)
        return str(full_path(name, node)) if name else name

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return that there is none."""
        path = Path(value)
        if not value or path.is_file():
            return ""
        return f"{path}: no such file{nearest(path.name, (other.name for other in path.parent.glob('*')))}"


@dataclass(frozen=True)
class ChoiceOrFile(Textual):
    """One of a few names, or a file with one of ``endings``, relative to the file that names it."""

    options: tuple[str, ...]
    endings: tuple[str, ...]

    def describe(self) -> str:
        """Return what is allowed."""
        return f"{Choice(self.options).describe()}, or a file ending in {' or '.join(self.endings)}"

    def convert(self, node: Node, key: str, problems: Problems) -> str | None:
        """Return the name, or the full path."""
        name = Text().convert(node, key, problems)
        return name if name is None or name in self.options else str(full_path(name, node))

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return what is allowed, or that there is no such file."""
        path = Path(value)
        if value in self.options or (value.lower().endswith(self.endings) and path.is_file()):
            return ""
        if not value.lower().endswith(self.endings):
            return f"expected {self.describe()}{nearest(path.name, self.options)}"
        others = (other.name for other in path.parent.glob("*") if other.name.lower().endswith(self.endings))
        return f"{path}: no such file{nearest(path.name, others)}"
