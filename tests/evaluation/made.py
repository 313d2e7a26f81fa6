"""Made-up sums of examples."""

from collections.abc import Sequence

import numpy as np

from fedmezo.evaluation.example_sums import ExampleSums, Sums


def sums_of(
    losses: Sequence[float],
    tokens: Sequence[int],
    correct: Sequence[int] | None = None,
    indices: Sequence[int] | None = None,
) -> ExampleSums:
    """Return examples by their summed losses, their tokens, and how many of these are right; by default all."""
    counts = np.array(tokens, dtype=np.int64)
    right = np.array(tokens if correct is None else correct, dtype=np.float64)
    places = np.arange(len(counts)) if indices is None else np.array(indices)
    return ExampleSums(places, {"loss": Sums(np.array(losses), counts), "accuracy": Sums(right, counts)})
