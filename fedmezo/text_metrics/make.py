"""From the name of a metric of texts to the metric."""

import math
from numbers import Real

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import culprit, defined_at
from fedmezo.text_metrics import TextMetric, registry


def make_text_metric(name: str) -> TextMetric:
    """Return the metric of a registered name, after trying it on made-up answers.

    Raises:
        ConfigurationError: it does not keep the contract of :class:`TextMetric`; the message names file and line.
    """
    metric = registry[name]
    try:
        found: object = metric("one two", ["one two", ("one", "three")])
    except Exception as error:
        where = culprit(error) or defined_at(metric)
        raise ConfigurationError(f"{where}\n    metric of texts {name}: {type(error).__name__}: {error}") from error
    if not isinstance(found, Real) or not math.isfinite(found):
        raise ConfigurationError(
            f"{defined_at(metric)}\n    metric of texts {name} returned {found!r}\n    expected a number from 0 to 1"
        )
    return metric
