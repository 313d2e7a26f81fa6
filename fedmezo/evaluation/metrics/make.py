"""From ``eval.metrics`` to the metrics."""

import re
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at, instantiated
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.evaluation.metrics import Metric, registry

MEASURED = ("loss", "accuracy")  # of every evaluation, whatever eval.metrics says: others may be computed from them
NAME = re.compile(r"(?!clients$|categories$|client_|category_)[A-Za-z0-9][\w.-]*", re.ASCII)  # of columns and pictures
VOCABULARY = 1000  # of the trial


def make_metrics(names: Iterable[str]) -> list[Metric]:
    """Return the metrics of registered names, after trying each on made-up logits.

    Raises:
        ConfigurationError: one does not keep the contract of :class:`Metric`; the message names file and line.
    """
    return [make_metric(name) for name in dict.fromkeys(names)]


def make_metric(name: str) -> Metric:
    """Return the metric of a registered name, as :func:`make_metrics` does."""
    metric: Metric = instantiated(registry[name])
    if not isinstance(metric, Metric):
        raise ConfigurationError(f"{defined_at(registry[name].values)}\n    metric {name} is no subclass of Metric")
    if not NAME.fullmatch(name):
        raise _wrong(metric, f"the name {name}", "letters, digits, '.', '_' and '-', and no name of a column")
    if metric.sums_of not in ("", *MEASURED):
        raise _wrong(metric, f"sums_of = {metric.sums_of!r}", f"'' or one of {', '.join(MEASURED)}")
    _try(metric)
    return metric


def token_sums(metric: Metric, logits: Tensor, labels: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Return a metric's values and counts of tokens, fp64 and int64 [n].

    Raises:
        ConfigurationError: they are not one a token; the message names file and line.
    """
    values, counts = metric.values(logits, labels, losses), metric.counts(labels)
    if not isinstance(values, Tensor) or values.shape != labels.shape or values.is_complex():
        raise _wrong(metric, f"values returned {_said(values)}", f"a number a token, of shape {list(labels.shape)}")
    whole = isinstance(counts, Tensor) and not counts.is_floating_point() and not counts.is_complex()
    if not whole or counts.shape != labels.shape:
        raise _wrong(metric, f"counts returned {_said(counts)}", f"whole numbers of shape {list(labels.shape)}")
    return values.double(), counts.long()


def _try(metric: Metric) -> None:
    logits = torch.linspace(-1.0, 1.0, 5 * VOCABULARY).view(5, VOCABULARY).sin()
    labels = torch.tensor([0, 7, 3, 3, 1])
    if not metric.sums_of:
        _, counted = token_sums(metric, logits, labels, cross_entropy(logits, labels, labels))
        if bool((counted < 0).any()):
            raise _wrong(metric, f"counts returned {counted.tolist()}", "whole numbers of at least 0")
    values, counts = metric.of_examples(np.array([2.0, 1.0]), np.array([2, 3]))
    found = metric.result(np.asarray(values, dtype=np.float64) / np.maximum(counts, 1))
    if np.shape(values) != (2,) or np.shape(counts) != (2,) or np.shape(found) != (2,):
        raise _wrong(metric, f"of two examples came {values}, {counts} and {found}", "two numbers of each")


def _wrong(metric: Metric, found: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f"{defined_at(type(metric))}\n    metric {metric.name}: {found}\n    expected {expected}")


def _said(value: object) -> str:
    return f"{value.dtype} of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
