"""Callbacks: what is told of a run while it goes on, and may ask it to stop."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from fedmezo.ledger.records import EvaluationRecord, RoundRecord


@dataclass(frozen=True)
class Traffic:
    """Bytes of one client in one round."""

    up: int
    down: int


@dataclass(frozen=True)
class RoundReport:
    """A finished round.

    Args:
        record: what was recorded.
        evaluation: of the parameters after the round, if there was one.
        traffic: of each client of the record, in order.
        seconds: the round took, evaluation included; None where it is not known any more.
        peak_memory_mib: of the process so far; likewise.
        flops: operations of the clients' matrix products, where they are counted; likewise.
    """

    record: RoundRecord
    evaluation: EvaluationRecord | None
    traffic: Sequence[Traffic]
    seconds: float | None = None
    peak_memory_mib: float | None = None
    flops: int | None = None


class Callback:
    """The contract of a callback; each method does nothing unless overridden.

    A callback of the user's own that fails is left out from there on. One that finds the run spoilt raises
    :class:`~fedmezo.core.errors.DivergedError`, which ends it with exit code 4.
    """

    def before_round(self, round_index: int, rates: Sequence[float]) -> None:
        """Take note of a round that begins, and of its clients' learning rates."""

    def on_step(self, loss: float) -> None:
        """Take note of a local step."""

    def on_evaluated(self, examples: int) -> None:
        """Take note that so many examples were evaluated."""

    def after_round(self, report: RoundReport) -> None:
        """Take note of a round; it is durable already."""

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Take note of an evaluation; ``initial`` is the one before training."""

    def wants_stop(self) -> bool:
        """Return whether the run should end here, asked after every round; it ends as stopped early, and can go on."""
        return False

    def close(self) -> None:
        """Let go of files and screens, however the run ended."""


class Callbacks(Callback):
    """Several callbacks as one; more can join before the run starts."""

    def __init__(self) -> None:
        self._callbacks: list[Callback] = []

    def add(self, *callbacks: Callback) -> None:
        """Let callbacks join, to be told after those already here."""
        self._callbacks.extend(callbacks)

    def before_round(self, round_index: int, rates: Sequence[float]) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.before_round(round_index, rates)

    def on_step(self, loss: float) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_step(loss)

    def on_evaluated(self, examples: int) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.on_evaluated(examples)

    def after_round(self, report: RoundReport) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.after_round(report)

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Tell every callback."""
        for callback in self._callbacks:
            callback.after_evaluation(record, initial)

    def wants_stop(self) -> bool:
        """Return whether any callback wants to stop."""
        return any(callback.wants_stop() for callback in self._callbacks)

    def close(self) -> None:
        """Close every callback, also where one fails."""
        with ExitStack() as stack:
            for callback in reversed(self._callbacks):
                stack.callback(callback.close)
