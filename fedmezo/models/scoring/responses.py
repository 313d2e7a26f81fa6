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
