"""Metrics in words: the package's own in theirs, others by name, as a report runs no file of a user's."""

from fedmezo.evaluation.metrics import registry


def title(metric: str) -> str:
    """Return how figures call a metric.

    Examples:
        >>> title("accuracy"), title("exact_match"), title("their_own")
        ('Accuracy', 'Exact match', 'Their own')
    """
    own = registry[metric].title if metric in registry.names() else ""
    return own or in_words(metric).capitalize()


def unit(metric: str) -> str:
    """Return the unit of a metric for an axis."""
    return registry[metric].unit if metric in registry.names() else in_words(metric)


def in_words(metric: str) -> str:
    """Return the name of a metric among words."""
    return metric.replace("_", " ")
