"""Truth values, text, and names."""

from dataclasses import dataclass

from fedmezo.config.kinds.kind import ScalarKind
from fedmezo.config.names import registered
from fedmezo.config.nodes import Scalar, UnfitError
from fedmezo.config.problems import nearest


class Boolean(ScalarKind):
    """True or False."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "True or False"

    def accept(self, value: Scalar) -> bool:
        """Return the truth value."""
        if not isinstance(value, bool):
            raise UnfitError
        return value


class Text(ScalarKind):
    """Any text; a number or a truth value counts as text in quotes only."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "text"

    def accept(self, value: Scalar) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise UnfitError("" if value is None else " (in quotes, if this is meant)")
        return value


@dataclass(frozen=True)
class Choice(ScalarKind):
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
class Registered(ScalarKind):
    """A name registered in a folder of the package, one of ``also``, or a path with one of ``endings``."""

    folder: str
    also: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return what is allowed."""
        listed = ", ".join(registered(self.folder))
        return f"one of {listed}" + (f", or a path ending in {' or '.join(self.endings)}" if self.endings else "")

    def accept(self, value: Scalar) -> str:
        """Return the name."""
        if not isinstance(value, str):
            raise UnfitError
        names = registered(self.folder)
        if value in names or value in self.also or (self.endings and value.endswith(self.endings)):
            return value
        raise UnfitError(nearest(value, names))


@dataclass(frozen=True)
class ModelName(ScalarKind):
    """A model as ``NAME@HUB``, with a registered hub."""

    folder: str = "models/hubs"

    def describe(self) -> str:
        """Return what is allowed."""
        return f"NAME@HUB with HUB one of {', '.join(registered(self.folder))}"

    def accept(self, value: Scalar) -> str:
        """Return the model's full name."""
        if not isinstance(value, str):
            raise UnfitError
        name, _, hub = value.rpartition("@")
        names = registered(self.folder)
        if name and hub in names:
            return value
        raise UnfitError(nearest(hub, names))
