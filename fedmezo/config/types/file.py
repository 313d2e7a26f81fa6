"""Files of the user's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import Node

from fedmezo.config.names import registered
from fedmezo.config.types.field_type import Textual
from fedmezo.config.types.text import Text
from fedmezo.core.documents.nodes import full_path
from fedmezo.core.documents.problems import Problems
from fedmezo.core.run_folder import LEDGER
from fedmezo.core.text import alternatives, nearest


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
class RegisteredOrFile(Textual):
    """A name registered by the package or an extension, or a file with one of ``endings``.

    A file is relative to the file that names it.
    """

    folder: str
    endings: tuple[str, ...]

    def describe(self) -> str:
        """Return what is allowed."""
        return self._listing(registered(self.folder))

    def convert(self, node: Node, key: str, problems: Problems) -> str | None:
        """Return the name, or the full path."""
        name = Text().convert(node, key, problems)
        return str(full_path(name, node)) if name and name.lower().endswith(self.endings) else name

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return what is allowed, or that there is no such file."""
        path, names = Path(value), registered(self.folder, extensions)
        if not value.lower().endswith(self.endings):
            return "" if value in names else f"expected {self._listing(names)}{nearest(value, names)}"
        if path.is_file():
            return ""
        others = (other.name for other in path.parent.glob("*") if other.name.lower().endswith(self.endings))
        return f"{path}: no such file{nearest(path.name, others)}"

    def _listing(self, names: Sequence[str]) -> str:
        return f"one of {', '.join(names)}, or a file ending in {alternatives(self.endings)}"
