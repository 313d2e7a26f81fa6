"""Criteria: what local training minimises. One file a criterion.

Zeroth-order training asks nothing of a criterion but its value; backpropagation needs a differentiable one.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from torch import Tensor

from fedmezo.core.registry import Registry


class Criterion(Protocol):
    """The contract of a criterion: a pure function of what the model says at the response tokens of a batch."""

    def __call__(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """Return the values whose mean is minimised.

        Args:
            logits: fp32 [n, V], what the model says before each of the n response tokens of a batch.
            labels: int64 [n], the tokens.
            rows: int64 [n], which example of the batch (0 .. B - 1) each token belongs to; ascending.

        Returns:
            One value a token [n], or an example [B], or any other number of them: at least one.
        """
        ...


_Values = TypeVar("_Values", bound=Callable[[Tensor, Tensor, Tensor], Tensor])


def tokenwise(criterion: _Values) -> _Values:
    """Mark a criterion with a value a token that depends on its own logits alone: it may be asked part by part."""
    criterion.tokenwise = True  # type: ignore[attr-defined]
    return criterion


def among_labels(criterion: _Values) -> _Values:
    """Mark a criterion that of a classification task looks at nothing but the choice among label words.

    It is called with the logits of the classes [B, C] and the class of each of the B examples there.
    """
    criterion.among_labels = True  # type: ignore[attr-defined]
    return criterion


def sees_labels(criterion: Criterion) -> bool:
    """Return whether a criterion looks at the choice among label words where there is one."""
    return getattr(criterion, "among_labels", False)


registry: Registry[Criterion] = Registry("criterion", __name__)
register = registry.register
