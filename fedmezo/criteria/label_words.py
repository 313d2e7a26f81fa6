"""``label_words``: the choice among the label words of a classification task (the MeZO paper's, arXiv:2305.17333)."""

from torch import Tensor, nn

from fedmezo.criteria import among_labels, register


@register("label_words")
@among_labels
def label_words(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    """Return the negative log-likelihood of each example's class among the classes, [B].

    Args:
        logits: fp32 [B, C], what the model says of each class.
        labels: int64 [B], the classes.
        rows: int64 [B], 0 .. B - 1.
    """
    return nn.functional.cross_entropy(logits, labels, reduction="none")
