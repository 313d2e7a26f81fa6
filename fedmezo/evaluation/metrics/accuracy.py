"""``accuracy``: the share of response tokens that the model would choose."""

from typing import TYPE_CHECKING

from fedmezo.evaluation.metrics import Metric, register

if TYPE_CHECKING:
    from torch import Tensor


@register("accuracy")
class Accuracy(Metric):
    """Share of response tokens that are the most likely ones."""

    higher_is_better = True
    unit = "share of response tokens, or of choices"
    title = "Accuracy"
    share = True

    def values(self, logits: "Tensor", labels: "Tensor", losses: "Tensor") -> "Tensor":
        """Return 1 for each token that is the most likely one, else 0."""
        return logits.argmax(dim=-1) == labels
