"""Scoring: the loss of a parameter point on a batch, leaving no trace in the model."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedmezo.data.batches import IGNORED, Batch
from fedmezo.models.flat import FlatParameters


def token_losses(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of every response token and the row it belongs to.

    Only the positions from the first label on go through the model's head: prompts, most of a batch, cost no logits.

    Args:
        model: a causal language model of transformers, or a PEFT model around one.
        batch: B right-padded sequences.

    Returns:
        fp32 losses [n] and int64 rows [n] (values in 0..B-1), in row order, for n response tokens.
    """
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    kept = batch.labels.shape[1] - first + 1
    logits = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=kept, use_cache=False
    ).logits  # [B, kept, V]; position j predicts label j + 1
    labels = batch.labels[:, first:]  # [B, kept - 1]
    mask = labels != IGNORED
    losses = cross_entropy(logits[:, :-1][mask].float(), labels[mask], reduction="none")
    return losses, mask.nonzero()[:, 0]


class Scorer:
    """Losses of parameter points, by copying each into the model and the resident one back.

    Args:
        model: in eval mode; dropout never acts while scoring.
        parameters: the model's trainable parameters.
    """

    def __init__(self, model: nn.Module, parameters: FlatParameters) -> None:
        self.model = model.eval()
        self.parameters = parameters

    @contextmanager
    def at(self, point: Tensor) -> Iterator[nn.Module]:
        """Give the model with its parameters at ``point`` [d]; they are bit-identical to before afterwards."""
        resident = self.parameters.buffer.clone()
        try:
            self.parameters.buffer.copy_(point)
            yield self.model
        finally:
            self.parameters.buffer.copy_(resident)

    @torch.inference_mode()
    def loss(self, point: Tensor, batch: Batch) -> float:
        """Return the mean cross-entropy over the response tokens of a batch, summed in fp64."""
        with self.at(point) as model:
            losses, _ = token_losses(model, batch)
        return losses.double().mean().item()

    @torch.inference_mode()
    def example_losses(self, point: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return per example the summed cross-entropy (fp64 [B]) and the number of response tokens (int64 [B])."""
        with self.at(point) as model:
            losses, rows = token_losses(model, batch)
        sums = torch.zeros(len(batch.labels), dtype=torch.float64, device=losses.device)
        return sums.index_add_(0, rows, losses.double()), torch.bincount(rows, minlength=len(batch.labels))
