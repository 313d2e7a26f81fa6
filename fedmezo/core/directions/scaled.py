"""The directions of a run: a distribution, and for each part of the parameters a scale and a block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fedmezo.core.directions import accumulate, rounded
from fedmezo.core.directions.blocks import block_of


class Part(NamedTuple):
    """A part [start, stop) of the flat index, with the scale of directions there and the block that it belongs to."""

    start: int
    stop: int
    scale: float = 1.0
    block: int = 0


@dataclass(frozen=True)
class Directions:
    """S M z(key), S being the scale of the part that an element belongs to, M one in the direction's block, else zero.

    A part of scale 0.1 is perturbed by a tenth of ``mu``, and moves along the same direction.

    Args:
        distribution: of z.
        parts: covering the flat index in order; one of scale 1 if left out.
        blocks: how many there are; see :mod:`fedmezo.core.directions.blocks`.
    """

    distribution: str = "gaussian"
    parts: tuple[Part, ...] = ()
    blocks: int = 1

    def block(self, key: int) -> int:
        """Return the block that a direction is in."""
        return block_of(key, self.blocks)

    def add(
        self,
        total: Tensor,
        keys: Sequence[int],
        coefficients: Sequence[float],
        start: int = 0,
        source: Tensor | None = None,
        factor: float | None = None,
        mirror: Tensor | None = None,
        rounding: int | None = None,
    ) -> None:
        """Add sum_k c_k S M z(key_k)[start : start + n] to a vector, each c_k S rounded to fp32 (fp64 for fp64).

        Directions of other blocks are left out of a part's sum.
        See :func:`fedmezo.core.directions.accumulate`.
        """
        for part in self._overlapping(start, start + total.numel()):
            chosen = [i for i, key in enumerate(keys) if self.block(key) == part.block]
            if not chosen and source is None and factor is None:
                continue
            scaled = [_scaled(coefficients[i], part.scale, total.dtype) for i in chosen]
            inside = slice(part.start - start, part.stop - start)
            given, mirrored = (None if vector is None else vector[inside] for vector in (source, mirror))
            vectors: dict[str, Any] = {"source": given, "factor": factor, "mirror": mirrored, "rounding": rounding}
            accumulate(total[inside], [keys[i] for i in chosen], scaled, self.distribution, part.start, **vectors)

    def values(self, key: int, start: int, stop: int, device: torch.device | str = "cpu") -> Tensor:
        """Return S M z(key)[start:stop] as an fp32 tensor [stop - start]."""
        z = torch.zeros(stop - start, device=device)
        self.add(z, [key], [1.0], start)
        return z

    def _overlapping(self, start: int, stop: int) -> Iterator[Part]:
        for part in self.parts or (Part(start, stop),):
            if part.start < stop and part.stop > start:
                yield part._replace(start=max(part.start, start), stop=min(part.stop, stop))


def _scaled(coefficient: float, scale: float, dtype: torch.dtype) -> float:
    return coefficient if scale == 1.0 else rounded(coefficient * scale, dtype)
