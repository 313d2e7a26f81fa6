"""Scoring by swapping: each point is copied into the model, and the resident one back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fedmezo.criteria import Criterion
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import Batch
from fedmezo.models.flat import FlatParameters
from fedmezo.models.scoring.responses import respond


class ExampleScores(NamedTuple):
    """Per example of a batch: summed cross-entropy (fp64 [B]), response tokens, and those right (int64 [B])."""

    sums: Tensor
    tokens: Tensor
    correct: Tensor


class Scorer:
    """Losses of parameter points, by copying each into the model and the resident one back: any adapter can be scored.

    Args:
        model: in eval mode; dropout never acts while scoring.
        parameters: the model's trainable parameters.
        criterion: what training minimises.
    """

    manner = "one point after the other, copied into the model"

    def __init__(self, model: nn.Module, parameters: FlatParameters, criterion: Criterion = cross_entropy) -> None:
        self.model = model.eval()
        self.parameters = parameters
        self.criterion = criterion

    @property
    def shares_rounding(self) -> bool:
        """Whether half precision rounds both signs of a direction alike, so that their difference is exact."""
        return False

    @contextmanager
    def at(self, point: Tensor) -> Iterator[nn.Module]:
        """Give the model with its parameters at ``point`` [d]; they are bit-identical to before afterwards."""
        resident = self.parameters.buffer.clone()
        try:
            self.parameters.write(point)
            yield self.model
        finally:
            self.parameters.write(resident)

    def values(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the criterion's values on a batch [m], whose mean is the loss; the model is taken as it stands."""
        return self.criterion(*respond(model, batch))

    @torch.inference_mode()
    def loss(self, point: Tensor, batch: Batch) -> float:
        """Return the mean of the criterion over a batch, summed in fp64."""
        with self.at(point) as model:
            return self.values(model, batch).double().mean().item()

    def losses(self, points: Tensor, batch: Batch, *, antithetic: bool = False) -> list[float]:
        """Return the loss of each of several points on one batch.

        Args:
            points: fp32 [L, d].
            batch: scored at each of them.
            antithetic: row i and row L/2 + i are theta + mu z and theta - mu z, whose difference is what matters.
        """
        return [self.loss(point, batch) for point in points]

    @torch.inference_mode()
    def example_scores(self, point: Tensor, batch: Batch) -> ExampleScores:
        """Return cross-entropy and accuracy of every example, whatever the criterion is."""
        with self.at(point) as model:
            responses = respond(model, batch)
        size, rows = len(batch.labels), responses.rows
        sums = torch.zeros(size, dtype=torch.float64, device=rows.device)
        sums.index_add_(0, rows, cross_entropy(*responses).double())
        right = rows[responses.logits.argmax(dim=-1) == responses.labels]
        return ExampleScores(sums, torch.bincount(rows, minlength=size), torch.bincount(right, minlength=size))
