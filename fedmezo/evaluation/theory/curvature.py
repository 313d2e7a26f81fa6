"""Curvature: trace, extreme eigenvalues and effective rank of the Hessian, from products with vectors alone.

- The trace is the mean of z . H z over vectors of random signs (Hutchinson, 1990). They come in pairs, the second with
  the sign of every other tensor turned: what couples the two halves (of LoRA: all that A and B have in common, most of
  its Hessian) cancels.
- Lanczos' method from such vectors gives the extreme eigenvalues, and the trace of |H| by quadrature (Ubaru, Chen and
  Saad, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", 2017).

The Hessian of a network has negative eigenvalues too. The analysis asks for a matrix that dominates it, of which the
smallest is its positive part H+ = (|H| + H) / 2: the effective rank is r = tr(H+) / lambda_max. A few steps resolve the
many eigenvalues near 0 badly, so that tr(|H|) has a systematic error, of a factor of about two, that no repetition
shows. tr(H^2) has none from two steps on: the stable rank tr(H^2) / ||H||^2 is at most tr(|H|) / ||H||.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.core.directions import direction
from fedmezo.evaluation.theory.measured import Measured, crossed_mean, mean, ratio

Product = Callable[[Tensor], Tensor]  # of the Hessian with vectors [P, d]
Forms = Callable[[Tensor], Tensor]  # v_b . (H v)_b of m samples' Hessians, vectors [P, d] and blocks: [m, P, B]

NEGLIGIBLE = 1e-5  # a part of a product that is rounding


@dataclass(frozen=True, eq=False)
class Ritz:
    """What Lanczos' method found from one vector.

    Args:
        values: Ritz values, ascending [k].
        weights: of the quadrature, which sum to 1 [k].
        residuals: an eigenvalue lies within so much of each value [k].
        ends: the unit vectors [2, d] of the smallest and the largest value.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    residuals: NDArray[np.float64]
    ends: Tensor


@dataclass(frozen=True)
class Curvature:
    """The Hessian of a loss in numbers.

    Args:
        trace: tr(H).
        absolute_trace: tr(|H|).
        largest: a Ritz value: the largest eigenvalue is no less. Its error is over the samples of the loss.
        largest_residual: an eigenvalue lies within so much of it.
        smallest: likewise: the smallest eigenvalue is no more.
        smallest_residual: likewise.
        rank: the effective rank tr(H+) / lambda_max.
        stable_rank: tr(H^2) / ||H||^2.
    """

    trace: Measured
    absolute_trace: Measured
    largest: Measured
    largest_residual: float
    smallest: Measured
    smallest_residual: float
    rank: Measured
    stable_rank: Measured

    @property
    def norm(self) -> float:
        """The operator norm: the smoothness L at this point."""
        return max(abs(self.largest.value), abs(self.smallest.value))


def measure_curvature(
    product: Product, forms: Forms, signs: Tensor, keys: list[int], steps: int
) -> tuple[Curvature, NDArray[np.float64]]:
    """Measure the Hessian of a mean of samples.

    Args:
        product: of the Hessian.
        forms: of the Hessians of the samples.
        signs: what every second vector is multiplied by [d], 1 or -1.
        keys: stream keys of the pairs of vectors.
        steps: of Lanczos' method, from the first vector of each pair.

    Returns:
        The curvature, and estimates of tr(H_bb) of each sample, each pair and each block [m, P, B].
    """
    starts = torch.stack([direction(key, 0, len(signs), "rademacher", signs.device) for key in keys])
    traces = _traces(forms, starts, signs)
    trace = crossed_mean(traces.sum(axis=2))
    found = lanczos(product, starts, steps)
    absolute, squared = (
        mean([len(signs) * float(each.weights @ function(each.values)) for each in found])
        for function in (np.abs, np.square)
    )
    low, high = min(found, key=lambda each: each.values[0]), max(found, key=lambda each: each.values[-1])
    smallest, largest = map(mean, forms(torch.stack([low.ends[0], high.ends[1]])).sum(dim=2).T.numpy())
    positive = Measured(
        (absolute.value + trace.value) / 2.0, math.hypot(absolute.error, trace.error) / 2.0, absolute.samples
    )
    extreme = max(largest, smallest, key=lambda each: abs(each.value))
    norm = abs(extreme.value)
    found_curvature = Curvature(
        trace,
        absolute,
        largest,
        float(high.residuals[-1]),
        smallest,
        float(low.residuals[0]),
        ratio(positive, largest),
        ratio(squared, Measured(norm**2, 2.0 * norm * extreme.error, extreme.samples)),
    )
    return found_curvature, traces


def _traces(forms: Forms, starts: Tensor, signs: Tensor) -> NDArray[np.float64]:
    """Return estimates of the blocks' traces, of samples and pairs of vectors, both of which are drawn [m, P, B]."""
    found = forms(torch.cat([starts, starts * signs]))  # [m, 2P, B]
    return np.asarray(found.view(len(found), 2, -1, found.shape[2]).mean(dim=1).numpy())


def lanczos(product: Product, starts: Tensor, steps: int) -> list[Ritz]:
    """Run Lanczos' method from vectors [P, d] side by side, which share what a product costs once.

    Every new vector is made orthogonal to all before it, as rounding would undo that.

    Args:
        product: of a symmetric matrix.
        starts: vectors, none of them zero.
        steps: at most d of them are taken.
    """
    steps = min(steps, starts.shape[1])
    current = starts / starts.norm(dim=1, keepdim=True)
    basis, diagonal, beside = [current], [], []
    for _ in range(steps):
        following = product(current)
        scale = following.norm(dim=1)
        diagonal.append((following.double() * current.double()).sum(dim=1))
        for _ in range(2):  # once leaves a part of rounding
            for each in basis:
                following = following - (following * each).sum(dim=1, keepdim=True) * each
        length = following.norm(dim=1)
        beside.append(torch.where(length > NEGLIGIBLE * scale, length, 0.0).double())
        current = following / length.clamp(min=torch.finfo(length.dtype).tiny)[:, None]
        basis.append(current)
    tables = torch.stack(diagonal, dim=1).cpu().numpy(), torch.stack(beside, dim=1).cpu().numpy()
    return [_ritz(tables[0][p], tables[1][p], [each[p] for each in basis]) for p in range(len(starts))]


def _ritz(diagonal: NDArray[np.float64], beside: NDArray[np.float64], basis: list[Tensor]) -> Ritz:
    """Return the eigenvalues of the tridiagonal matrix, up to where the Krylov space ends."""
    ends = np.flatnonzero(beside == 0.0)
    size = int(ends[0]) + 1 if len(ends) else len(diagonal)
    inner = beside[: size - 1]
    values, vectors = np.linalg.eigh(np.diag(diagonal[:size]) + np.diag(inner, 1) + np.diag(inner, -1))
    extreme = torch.zeros_like(torch.stack([basis[0], basis[0]]))
    for shares, each in zip(vectors[:, [0, -1]].tolist(), basis, strict=False):
        extreme += torch.tensor(shares, device=each.device)[:, None] * each
    return Ritz(
        values, vectors[0] ** 2, abs(beside[size - 1] * vectors[-1]), extreme / extreme.norm(dim=1, keepdim=True)
    )
