"""Callbacks: what is told of a run while it goes on. One file a callback.

A callback is registered as what makes it: a class, or a function, that is called with the run. Those of the package are
chosen by their own sections, or always there; ``callbacks`` names others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmezo.core.registry import Registry
from fedmezo.evaluation.metrics import Metric
from fedmezo.federation.callbacks import Callback, RoundReport
from fedmezo.ledger.records import EvaluationRecord

__all__ = ["Callback", "RoundReport", "RunContext", "register", "registry"]


@dataclass(frozen=True, eq=False)
class RunContext:
    """A run that begins, or goes on.

    Args:
        folder: of the run; a callback may write files of its own there.
        settings: its configuration, as nested dicts.
        steps: local steps of each round, of all its clients together.
        past: reports of the rounds that are done already, in order, without times.
        evaluations: that are done already.
        metrics: shown of every evaluation.
    """

    folder: Path
    settings: Mapping[str, Any]
    steps: Sequence[int] = ()
    past: Sequence[RoundReport] = ()
    evaluations: Sequence[EvaluationRecord] = ()
    metrics: Sequence[Metric] = ()


registry: Registry[Callable[[RunContext], Callback]] = Registry("callback", __name__)
register = registry.register
