"""The directions of a run: a distribution, and a scale for each part of the parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fedmezo.core.directions import accumulate, rounded

Parts = tuple[tuple[int, int, float], ...]  # (start, stop, scale) of the flat index, covering it in order


@dataclass(frozen=True)
class Directions:
    """S z(key), S being the scale of the part that an element belongs to.

    A part of scale 0.1 is perturbed by a tenth of ``mu``, and moves along the same direction.

    Args:
        distribution: of z.
        parts: their scales; 1 everywhere if left out.
    """

    distribution: str = "gaussian"
    parts: Parts = ()

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
        """Add sum_k c_k S z(key_k)[start : start + n] to a vector, each c_k S rounded to fp32 (fp64 for fp64).

        See :func:`fedmezo.core.directions.accumulate`.
        """
        for first, stop, scale in self._overlapping(start, start + total.numel()):
            scaled = coefficients if scale == 1.0 else [rounded(c * scale, total.dtype) for c in coefficients]
            inside = slice(first - start, stop - start)
            given, mirrored = (None if vector is None else vector[inside] for vector in (source, mirror))
            vectors: dict[str, Any] = {"source": given, "factor": factor, "mirror": mirrored, "rounding": rounding}
            accumulate(total[inside], keys, scaled, self.distribution, first, **vectors)

    def values(self, key: int, start: int, stop: int, device: torch.device | str = "cpu") -> Tensor:
        """Return S z(key)[start:stop] as an fp32 tensor [stop - start]."""
        z = torch.zeros(stop - start, device=device)
        self.add(z, [key], [1.0], start)
        return z

    def _overlapping(self, start: int, stop: int) -> Iterator[tuple[int, int, float]]:
        for first, last, scale in self.parts or ((start, stop, 1.0),):
            if first < stop and last > start:
                yield max(first, start), min(last, stop), scale
