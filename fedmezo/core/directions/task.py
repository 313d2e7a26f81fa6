"""What the implementations of :func:`fedmezo.core.directions.accumulate` are given."""

from dataclasses import dataclass

from torch import Tensor

COMPILED = ("gaussian", "rademacher")  # the distributions that the compiled kernels make


@dataclass(frozen=True, eq=False)
class Task:
    """Terms c_k z(key_k) to be added to ``source`` [n], giving ``total`` [n], which may be the same vector.

    Args:
        distribution: a registered name.
        factor: None: one term after the other is added to the source; a number: their sum is added to factor * source.
        start: flat index of the first element.
        mirror: fp32 [n], also written to where there is a factor: the sum is subtracted instead.
        rounding: stream key of what a bf16 ``total`` is rounded by, by flat index; None: to nearest, ties to even.
    """

    total: Tensor
    source: Tensor
    factor: float | None
    keys: tuple[int, ...]
    coefficients: tuple[float, ...]
    distribution: str
    start: int
    mirror: Tensor | None = None
    rounding: int | None = None
