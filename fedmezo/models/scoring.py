"""Scoring: the loss of a parameter point on a batch, leaving no trace in the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fedmezo.criteria import Criterion
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import IGNORED, Batch
from fedmezo.models.flat import FlatParameters


class Responses(NamedTuple):
    """What a model says at the n response tokens of a batch, in row order: the arguments of a criterion.

    Attributes:
        logits: fp32 [n, V].
        labels: int64 [n], the tokens.
        rows: int64 [n], the example of the batch each belongs to, 0 .. B - 1.
    """

    logits: Tensor
    labels: Tensor
    rows: Tensor


class ExampleScores(NamedTuple):
    """Per example of a batch: summed cross-entropy (fp64 [B]), response tokens, and those right (int64 [B])."""

    sums: Tensor
    tokens: Tensor
    correct: Tensor


def respond(model: nn.Module, batch: Batch) -> Responses:
    """Return what a model says at the response tokens.

    Only the positions from the first label on go through the model's head: prompts, most of a batch, cost no logits.

    Args:
        model: a causal language model of transformers, or a PEFT model around one.
        batch: B right-padded sequences.
    """
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    kept = batch.labels.shape[1] - first + 1
    logits = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=kept, use_cache=False
    ).logits  # [B, kept, V]; position j predicts label j + 1
    labels = batch.labels[:, first:]  # [B, kept - 1]
    mask = labels != IGNORED
    return Responses(logits[:, :-1][mask].float(), labels[mask], mask.nonzero()[:, 0])


def token_losses(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of every response token (fp32 [n]) and the row it belongs to (int64 [n])."""
    responses = respond(model, batch)
    return cross_entropy(*responses), responses.rows


class Scorer:
    """Losses of parameter points, by copying each into the model and the resident one back.

    Args:
        model: in eval mode; dropout never acts while scoring.
        parameters: the model's trainable parameters.
        criterion: what training minimises.
    """

    def __init__(self, model: nn.Module, parameters: FlatParameters, criterion: Criterion = cross_entropy) -> None:
        self.model = model.eval()
        self.parameters = parameters
        self.criterion = criterion

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
