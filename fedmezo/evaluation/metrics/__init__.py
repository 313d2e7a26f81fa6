"""Metrics: how well a model answers. One file a metric.

A metric gives each response token a value. Values are summed over the tokens of an example, and over the examples of a
client, a category or a split, so that nothing depends on batches or their order. What ``eval.metrics`` names is
evaluated, recorded in the ledger, plotted and reported, and may pick the best model.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor  # metrics are also read where no model is


class Metric:
    """The contract of a metric; its constructor takes no arguments.

    The result over some examples is ``result(sum of values / sum of counts)``, unless :meth:`over` says otherwise. Of a
    classification task the one token of an example is its class, and the vocabulary are the classes.

    Attributes:
        name: that it is registered under.
        higher_is_better: which of two results is the better one.
        unit: of the result, for the axes of plots.
        title: of plots; '' for the name in words.
        share: whether the result is a share, which is shown in percent.
        by_group: whether it is also recorded by client and by category.
        among_labels: whether there is such a metric for classification alone.
        num_classes: of the classification tasks that it is for; 0 for any.
        sums_of: ``loss`` or ``accuracy``, if it is computed from the sums of that metric instead of values of its own.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool]
    unit: ClassVar[str]
    title: ClassVar[str] = ""
    share: ClassVar[bool] = False
    by_group: ClassVar[bool] = True
    among_labels: ClassVar[bool] = False
    num_classes: ClassVar[int] = 0
    sums_of: ClassVar[str] = ""

    def values(self, logits: "Tensor", labels: "Tensor", losses: "Tensor") -> "Tensor":
        """Return what each of n response tokens of a batch adds to the sum of values, [n].

        The tokens are those of several examples, and of an example not always all: each is looked at alone.

        Args:
            logits: fp32 [n, V], what the model says before each token.
            labels: int64 [n], the tokens.
            losses: fp32 [n], their cross-entropy in nats.
        """
        raise NotImplementedError

    def counts(self, labels: "Tensor") -> "Tensor":
        """Return what each token adds to the sum of counts, int64 [n], >= 0: 1 unless overridden."""
        return labels.new_ones(labels.shape)

    def of_examples(
        self, values: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return what examples add to the two sums, given the sums over the tokens of each, fp64 and int64 [n]."""
        return values, counts

    def result(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the results that follow from means, fp64 of any shape."""
        return mean

    def over(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
        """Return the result over examples with these sums, fp64 and int64 [n]; NaN where nothing counts."""
        total = counts.sum()
        return float(self.result(np.asarray(values.sum() / total))) if total else float("nan")

    def each(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the result of each example [n], whose changes standard errors are of; NaN where nothing counts."""
        return self.result(np.where(counts > 0, values, np.nan) / np.maximum(counts, 1))

    @property
    def words(self) -> str:
        """The name as it is written among words."""
        return self.name.replace("_", " ")

    def text(self, value: float) -> str:
        """Return a result as it is shown."""
        return f"{100 * value:.1f} %" if self.share else f"{value:.4f}"


registry: Registry[type[Metric]] = Registry("metric", __name__, needs=("values", "higher_is_better", "unit"))
Kind = TypeVar("Kind", bound=type[Metric])


def register(name: str) -> Callable[[Kind], Kind]:
    """Return the decorator that registers a metric, and tells it its name."""

    def decorate(kind: Kind) -> Kind:
        kind.name = name
        registry.register(name)(kind)
        return kind

    return decorate
