"""``loss``: the cross-entropy of language modelling, per response token."""

from typing import TYPE_CHECKING

from fedmezo.evaluation.metrics import Metric, register

if TYPE_CHECKING:
    from torch import Tensor


@register("loss")
class Loss(Metric):
    """Mean negative log-likelihood of response tokens, in nats."""

    higher_is_better = False
    unit = "loss per response token"

    def values(self, logits: "Tensor", labels: "Tensor", losses: "Tensor") -> "Tensor":
        """Return the losses as they are."""
        return losses
