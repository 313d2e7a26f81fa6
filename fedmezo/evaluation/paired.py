"""Paired comparison: the change of the loss on the same examples, with its standard error."""

from dataclasses import dataclass

import numpy as np

from fedmezo.evaluation.losses import ExampleLosses


@dataclass(frozen=True)
class PairedChange:
    """How the loss changed on the same examples.

    Args:
        before, after: token-weighted mean losses.
        examples: n.
        change: mean over examples of the change of the example's mean loss per token.
        standard_error: of ``change``.
    """

    before: float
    after: float
    examples: int
    change: float
    standard_error: float

    @property
    def percent(self) -> float:
        """The relative change of the token-weighted mean, in percent."""
        return 100.0 * (self.after / self.before - 1.0)

    def __str__(self) -> str:
        errors = f", {abs(self.change) / self.standard_error:.1f} standard errors" if self.standard_error else ""
        return f"{self.before:.4f} -> {self.after:.4f} ({self.percent:+.2f} %{errors}, {self.examples} examples)"


def paired_change(before: ExampleLosses, after: ExampleLosses) -> PairedChange:
    """Compare two points on the same examples.

    Raises:
        ValueError: the examples differ.
    """
    if not np.array_equal(before.indices, after.indices):
        raise ValueError("a paired comparison needs the same examples on both sides")
    differences = after.sums / after.tokens - before.sums / before.tokens
    count = len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return PairedChange(before.mean(), after.mean(), count, float(differences.mean()), error)
