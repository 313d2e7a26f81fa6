"""What a model says at the response tokens of a batch."""

from typing import NamedTuple

from torch import Tensor, nn

from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import IGNORED, Batch


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


def respond(model: nn.Module, batch: Batch) -> Responses:
    """Return what a model says at the response tokens.

    Args:
        model: a causal language model of transformers, or a PEFT model around one.
        batch: B right-padded sequences.
    """
    return select(late_logits(model, batch), batch.labels)


def late_logits(model: nn.Module, batch: Batch) -> Tensor:
    """Return the logits [B, k, V] of the k positions that predict the last k labels, from the first label on.

    Only these go through the model's head: prompts, most of a batch, cost no logits.
    """
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    kept = batch.labels.shape[1] - first + 1
    logits: Tensor = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=kept, use_cache=False
    ).logits  # position j predicts label j + 1
    return logits[:, :-1]


def select(logits: Tensor, labels: Tensor) -> Responses:
    """Return what is at the labels of late logits [B, k, V] and labels [B, T]; without a copy where that is all."""
    labels = labels[:, labels.shape[1] - logits.shape[1] :]
    mask = labels != IGNORED
    chosen = logits[0] if len(logits) == 1 and bool(mask.all()) else logits[mask]
    return Responses(chosen.float(), labels[mask], mask.nonzero()[:, 0])


def token_losses(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of every response token (fp32 [n]) and the row it belongs to (int64 [n])."""
    responses = respond(model, batch)
    return cross_entropy(*responses), responses.rows
