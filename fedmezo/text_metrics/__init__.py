"""Metrics of texts: how good an answer that a model has written is. One file a family.

What ``eval.generate.metrics`` names is evaluated on answers to held-out examples; as ``criterion.type``, 1 minus it is
what local training minimises.
"""

from collections.abc import Sequence
from typing import Protocol

from fedmezo.core.registry import Registry

Reference = str | tuple[str, ...]  # a right answer: a text, or the texts of several spans that all belong to it


class TextMetric(Protocol):
    """The contract of a metric of texts: a pure function."""

    def __call__(self, prediction: str, references: Sequence[Reference]) -> float:
        """Return how good an answer is, from 0 to 1.

        Args:
            prediction: the answer.
            references: right answers, at least one; the one that it is nearest to counts.
        """
        ...


def as_text(reference: Reference) -> str:
    """Return a right answer as one text, for metrics that know no spans."""
    return reference if isinstance(reference, str) else " ".join(reference)


registry: Registry[TextMetric] = Registry("metric of texts", __name__)
register = registry.register
