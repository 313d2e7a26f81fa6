"""``cross_entropy``: the loss of language modelling, per response token."""

from torch import Tensor, nn

from fedmezo.criteria import register, tokenwise


@register("cross_entropy")
@tokenwise
def cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    """Return the negative log-likelihood of each token, [n]."""
    return nn.functional.cross_entropy(logits, labels, reduction="none")
