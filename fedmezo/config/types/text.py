"""Truth values, text, and names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from yaml import Node

from fedmezo.config.names import fault, registered
from fedmezo.config.types.field_type import ScalarType, Textual
from fedmezo.core.documents.nodes import Scalar, UnfitError, full_path
from fedmezo.core.documents.problems import Problems
from fedmezo.core.text import alternatives, nearest


class Boolean(ScalarType):
    """True or False."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "True or False"

    def accept(self, value: Scalar) -> bool:
        """Return the truth value."""
        if not isinstance(value, bool):
            raise UnfitError
        return value


class Text(Textual, ScalarType):
    """Any text; a number or a truth value counts as text in quotes only."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "text"

    def accept(self, value: Scalar) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise UnfitError("" if value is None else " (in quotes, if this is meant)")
        if "\0" in value:  # no name of a file or an account can hold one
            raise UnfitError(" without null characters")
        return value


class Day(ScalarType):
    """A date; '' for none."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "a date such as 2024-07-26, or ''"

    def accept(self, value: Scalar) -> str:
        """Return the date in the form of ISO 8601."""
        if not isinstance(value, str):
            raise UnfitError
        try:
            return date.fromisoformat(value).isoformat() if value else value
        except ValueError as error:
            raise UnfitError from error


@dataclass(frozen=True)
class Choice(Textual, ScalarType):
    """One of a few names, in any case; the value has the case of the option."""

    options: tuple[str, ...]

    def describe(self) -> str:
        """Return what is allowed."""
        listed = ", ".join(option or "''" for option in self.options)
        return f"one of {listed}" if len(self.options) > 1 else listed

    def accept(self, value: Scalar) -> str:
        """Return the option."""
        if not isinstance(value, str):
            raise UnfitError
        for option in self.options:
            if option.lower() == value.lower():
                return option
        raise UnfitError(nearest(value, self.options))


@dataclass(frozen=True)
class Registered(Textual, ScalarType):
    """A name registered by the package or an extension, a path with one of ``endings``, or what fits a form.

    ``further`` is the folder of another kind, whose names are taken as well.
    ``form`` is a regular expression that the whole value may match instead, ``form_name`` how it is written to a user.
    Its group ``file``, where it has one, is a Python file, relative like an extension; the value has its full path.
    One of ``prefixes`` stands before a name.
    """

    folder: str
    further: str = ""
    endings: tuple[str, ...] = ()
    form: str = ""
    form_name: str = ""
    prefixes: tuple[str, ...] = ("",)

    def describe(self) -> str:
        """Return what is allowed."""
        return self._listing(self.names())

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the accepted value of a node, a Python file in it by its full path."""
        value = super().convert(node, key, problems)
        found = re.fullmatch(self.form, value or "")
        if not found or not found.groupdict().get("file"):
            return value
        return f"{full_path(found['file'], node)}{value[found.end('file') :]}"

    def accept(self, value: Scalar) -> str:
        """Return the name, which :meth:`objection` looks up; one of the package's own may be in any case."""
        if not isinstance(value, str):
            raise UnfitError
        return next((name for name in self.names() if name.lower() == value.lower()), value)

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return the names there are, where ``value`` is not one of them."""
        names = self.names(extensions)
        if value in names or (self.endings and value.lower().endswith(self.endings)):
            return ""
        if self.form and (found := re.fullmatch(self.form, value)):
            file = found.groupdict().get("file")
            return fault(Path(file)) if file else ""
        return f"expected {self._listing(names)}{nearest(value, names)}"

    def names(self, extensions: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the names there are."""
        folders = filter(None, (self.folder, self.further))
        found = [name for folder in folders for name in registered(folder, extensions)]
        return tuple(prefix + name for prefix in self.prefixes for name in found)

    def _listing(self, names: Sequence[str]) -> str:
        paths = f", or a path ending in {alternatives(self.endings)}" if self.endings else ""
        return f"one of {', '.join(names)}{paths}" + (f", or {self.form_name}" if self.form else "")


@dataclass(frozen=True)
class ModelName(Textual, ScalarType):
    """A model as ``NAME@HUB``, with a registered hub."""

    folder: str = "models/hubs"

    def describe(self) -> str:
        """Return what is allowed."""
        return self._listing(registered(self.folder))

    def accept(self, value: Scalar) -> str:
        """Return the model's full name, whose hub :meth:`objection` looks up."""
        if not isinstance(value, str):
            raise UnfitError
        return value

    def objection(self, value: Any, extensions: Sequence[str]) -> str:
        """Return the hubs there are, where ``value`` names none of them."""
        name, _, hub = value.rpartition("@")
        names = registered(self.folder, extensions)
        return "" if name and hub in names else f"expected {self._listing(names)}{nearest(hub, names)}"

    def _listing(self, names: Sequence[str]) -> str:
        return f"NAME@HUB with HUB one of {', '.join(names)}"
