"""Integers and finite numbers within bounds."""

import math
from dataclasses import dataclass
from typing import ClassVar

from fedmezo.config.types.field_type import ScalarType
from fedmezo.core.documents.nodes import Scalar, UnfitError, decimal

DECIMAL = "; numbers are decimal, such as 16, 1000 or 1e-3"


def number(value: Scalar) -> int | float:
    """Return a number, also from text such as ``1e-2`` or ``010`` (:mod:`fedmezo.core.documents.nodes`).

    Raises:
        UnfitError: it is not a number, or not a finite one.
    """
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitError
    if isinstance(value, float) and not math.isfinite(value):
        raise UnfitError
    return value


def _number(text: str) -> int | float:
    try:
        return decimal(text)
    except ValueError as error:
        raise UnfitError(DECIMAL if text.lstrip("+-")[:1].isdigit() else "") from error


@dataclass(frozen=True, kw_only=True)
class _Bounded(ScalarType):
    """Numbers within bounds (``low`` and ``high`` belong to them), and a few others that have a meaning."""

    low: float | None = None
    above: float | None = None
    high: float | None = None
    below: float | None = None
    also: tuple[float, ...] = ()
    noun: ClassVar[str]

    def describe(self) -> str:
        """Return what is allowed, such as "a number > 0 and <= 1, or -1"."""
        bounds = {">=": self.low, ">": self.above, "<=": self.high, "<": self.below}
        limits = " and ".join(f"{sign} {bound}" for sign, bound in bounds.items() if bound is not None)
        return f"{self.noun} {limits}".rstrip() + "".join(f", or {value}" for value in self.also)

    def _within(self, value: float) -> bool:
        return value in self.also or (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )


@dataclass(frozen=True, kw_only=True)
class Integer(_Bounded):
    """An integer within bounds."""

    noun: ClassVar[str] = "an integer"

    def accept(self, value: Scalar) -> int:
        """Return the integer."""
        found = number(value)
        if not isinstance(found, int) or not self._within(found):
            raise UnfitError
        return found


@dataclass(frozen=True, kw_only=True)
class Number(_Bounded):
    """A finite floating-point number within bounds; an integer becomes one."""

    noun: ClassVar[str] = "a number"

    def accept(self, value: Scalar) -> float:
        """Return the number as a float."""
        try:
            found = float(number(value))
        except OverflowError as error:
            raise UnfitError from error
        if not self._within(found):
            raise UnfitError
        return found
