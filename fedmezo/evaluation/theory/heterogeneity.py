"""Heterogeneity: how gradients of batches differ within a client (c_g, sigma_g), and those of clients (c_h, sigma_h).

The analysis assumes, at every point, with b a batch, f_i a client's loss and f their mean,

    E ||grad f_b - grad f_i||^2 <= c_g ||grad f||^2 + sigma_g^2
      ||grad f_i - grad f||^2   <= c_h ||grad f||^2 + sigma_h^2

All of it is in the inner products of K gradients of each of N clients. A client's gradient is known from K batches
only; what their noise adds to a squared norm is subtracted, so that every square here is unbiased (and, where there is
nothing to see, as often negative as positive). Errors are by leaving out one batch of every client at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.evaluation.theory.measured import Measured, jackknife

LEAST_BATCHES = 3  # of a client: a variance is needed of what is left when one is left out


@dataclass(frozen=True, eq=False)
class Gradients:
    """The inner products of gradients of K batches of each of N clients at one point.

    Args:
        gram: [N, K, N, K].
        weights: of the clients in the mean, which sum to 1 [N].
    """

    gram: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def batches(self) -> int:
        """K."""
        return int(self.gram.shape[1])

    def without(self, batch: int) -> "Gradients":
        """Return the products without one batch of every client."""
        return Gradients(np.delete(np.delete(self.gram, batch, axis=1), batch, axis=3), self.weights)

    @property
    def sampled_squared_norm(self) -> float:
        """The squared norm of the mean of all gradients: that of the sample, noise included."""
        return float(self.weights @ self._means @ self.weights)

    @property
    def squared_norm(self) -> float:
        """||grad f||^2."""
        return self.sampled_squared_norm - float(np.square(self.weights) @ self._noise)

    @property
    def batch_variance(self) -> float:
        """E ||grad f_b - grad f_i||^2, mean over clients."""
        return float(self.weights @ self._variances)

    @property
    def batch_squared_norm(self) -> float:
        """E ||grad f_b||^2, mean over clients."""
        return float(self.weights @ np.einsum("ikik->ik", self.gram).mean(axis=1))

    @property
    def client_distances(self) -> NDArray[np.float64]:
        """||grad f_i - grad f||^2 of each client [N]."""
        shares = np.eye(len(self.weights)) - self.weights  # [i, j]: client j in grad f_i - grad f
        sampled = np.einsum("ij,jk,ik->i", shares, self._means, shares)
        return np.asarray(sampled - np.square(shares) @ self._noise)

    @property
    def client_variance(self) -> float:
        """The mean over clients of ||grad f_i - grad f||^2."""
        return float(self.weights @ self.client_distances)

    @property
    def _means(self) -> NDArray[np.float64]:
        """Inner products of the clients' means [N, N]."""
        return np.asarray(self.gram.mean(axis=(1, 3)))

    @property
    def _variances(self) -> NDArray[np.float64]:
        own = np.einsum("ikik->ik", self.gram).mean(axis=1) - np.diag(self._means)
        return np.asarray(own * self.batches / (self.batches - 1))

    @property
    def _noise(self) -> NDArray[np.float64]:
        """The variance of each client's mean [N]."""
        return self._variances / self.batches


def inner_products(gradients: Tensor, weights: NDArray[np.float64]) -> Gradients:
    """Return the inner products of gradients [N, K, d]."""
    clients, batches, _ = gradients.shape
    flat = gradients.flatten(0, 1)
    gram = torch.stack([(flat.double() * row.double()).sum(dim=1) for row in flat])
    return Gradients(gram.cpu().numpy().reshape(clients, batches, clients, batches), weights)


def measured(statistic: Callable[[Sequence[Gradients]], float], points: Sequence[Gradients]) -> Measured:
    """Return a statistic of one or several points, of which each has the same batches."""
    parts = [[point.without(batch) for point in points] for batch in range(points[0].batches)]
    return jackknife(statistic, points, parts)


@dataclass(frozen=True)
class Constants:
    """c and sigma^2 of a bound ``c ||grad f||^2 + sigma^2``."""

    factor: Measured
    floor: Measured


def fit(points: Sequence[Gradients], spread: Callable[[Gradients], float]) -> Constants:
    """Return the least-squares line through a spread against ||grad f||^2 over points, c and sigma^2 not negative.

    Args:
        points: of a trajectory, two at least.
        spread: ``batch_variance`` or ``client_variance`` of a point.
    """

    def line(some: Sequence[Gradients]) -> tuple[float, float]:
        return non_negative_line([each.squared_norm for each in some], [spread(each) for each in some])

    return Constants(measured(lambda some: line(some)[0], points), measured(lambda some: line(some)[1], points))


def non_negative_line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return slope and intercept, neither negative, of the least-squares line through points."""
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    centred = first - first.mean()
    spread = float(centred @ centred)
    slope = float(centred @ second) / spread if spread else 0.0
    lines = [(slope, float(second.mean() - slope * first.mean()))]
    squares = float(first @ first)
    lines += [(max(0.0, float(first @ second) / squares) if squares else 0.0, 0.0), (0.0, max(0.0, second.mean()))]
    allowed = [line for line in lines if min(line) >= 0.0]
    return min(allowed, key=lambda line: float(np.square(line[0] * first + line[1] - second).sum()))
