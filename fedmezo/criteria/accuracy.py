"""``accuracy``: the share of response tokens, or of classes, that the model would not choose. It has no gradient."""

from torch import Tensor

from fedmezo.criteria import among_labels, register, tokenwise


@register("accuracy")
@tokenwise
@among_labels
def accuracy(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    """Return 0 for each token that is the most likely one, else 1, [n]: the mean is 1 - accuracy."""
    return (logits.argmax(dim=-1) != labels).float()
