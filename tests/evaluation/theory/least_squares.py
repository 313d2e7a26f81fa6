"""A least-squares problem as a model that is scored: every derivative of it is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fedmezo.core.directions.scaled import Directions
from fedmezo.data.batches import Batch
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.zeroth_order.scoring import CopyInScorer
from fedmezo.zeroth_order.scoring.scorer import Request, Total


@dataclass(frozen=True)
class Rows:
    """A batch: inputs [n, d] and targets [n]."""

    inputs: Tensor
    targets: Tensor

    @property
    def labels(self) -> Tensor:
        return self.targets

    def hessian(self) -> Tensor:
        return self.inputs.T @ self.inputs / len(self.targets)

    def gradient(self, point: Tensor) -> Tensor:
        return self.inputs.T @ (self.inputs @ point - self.targets) / len(self.targets)


class Weights(nn.Module):
    """d weights, in two tensors."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(size // 2))
        self.second = nn.Parameter(torch.zeros(size - size // 2))


class LeastSquares(CopyInScorer):
    """The loss of a batch is the mean of (x . w - y)^2 / 2."""

    def values(self, batch: Batch) -> Tensor:
        assert isinstance(batch, Rows)
        model = self.model
        assert isinstance(model, Weights)
        return (batch.inputs @ torch.cat([model.first, model.second]) - batch.targets).square() / 2.0

    def totals(self, batch: Batch, lanes: int = 1) -> list[Total]:
        values = self.values(batch).double()
        return [Total(values.sum().item(), len(values))]

    def _parts(self, request: Request) -> list[Request]:
        return [request]


def least_squares(size: int, directions: Directions = Directions()) -> LeastSquares:  # noqa: B008  it is immutable
    model = Weights(size)
    return LeastSquares(model, FlatParameters(model), directions)


def rows(size: int, count: int, seed: int = 0, scales: Sequence[float] | None = None, target: float = 1.0) -> Rows:
    """Return inputs of given scales, and targets around ``target``."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    inputs = draw.standard_normal((count, size)) * np.array(scales or [1.0] * size)
    targets = target + draw.standard_normal(count)
    return Rows(torch.from_numpy(inputs).float(), torch.from_numpy(targets).float())
