"""The round loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fedmezo.errors import DivergedError
from fedmezo.federation.evaluations import Evaluations
from fedmezo.federation.execution import Engine
from fedmezo.federation.messages import bytes_down, bytes_up
from fedmezo.federation.server import Server
from fedmezo.ledger.records import RoundRecord
from fedmezo.ledger.store import Store
from fedmezo.tracking import Callback, RoundReport, Traffic
from fedmezo.tracking.memory import peak_memory_mib

Outcome = Literal["completed", "stopped early", "interrupted"]


@dataclass
class Training:
    """The parts of a run, assembled.

    Args:
        server, engine, store, evaluations, callbacks: what they are called.
        total_rounds: of the run.
        max_nonfinite: non-finite losses beyond which the run has diverged.
    """

    server: Server
    engine: Engine
    store: Store
    evaluations: Evaluations
    callbacks: Callback
    total_rounds: int
    max_nonfinite: int

    def run(self, stop_requested: Callable[[], bool]) -> Outcome:
        """Run the rounds that are left; ``stop_requested`` is asked after each, and after the first evaluation.

        Raises:
            DivergedError: too many losses were not finite; everything up to there is on the disk.
            ClientError: a client failed.
        """
        if self.evaluations.due(self.server.rounds_done, self.total_rounds):
            self._evaluate()
        self._check_divergence()
        ending = self._ending(stop_requested)
        if ending is not None:
            return ending
        for round_index in range(self.server.rounds_done, self.total_rounds):
            record = self._round(round_index)
            ending = self._ending(stop_requested)
            self.store.keep(record, self.server.parameters, last=ending is not None)
            self._check_divergence()
            if ending is not None:
                return ending
        return "completed"

    def _round(self, round_index: int) -> RoundRecord:
        started = time.perf_counter()
        plan = self.server.plan(round_index)  # sampled clients, learning rates
        self.callbacks.before_round(round_index, [task.learning_rate for task in plan.tasks])
        results = self.engine.run(plan, self.server.parameters)  # an iterator: folded in as they arrive
        record = self.server.aggregate(plan, results)
        self.store.append(record)  # durable before it is visible
        self.server.apply(record)
        if self.evaluations.due(self.server.rounds_done, self.total_rounds):
            self._evaluate()
        seconds = time.perf_counter() - started
        self.callbacks.after_round(self.report(record, seconds, peak_memory_mib()))
        return record

    def report(self, record: RoundRecord, seconds: float | None = None, memory: float | None = None) -> RoundReport:
        """Return the report of a recorded round."""
        found = [row for row in self.evaluations.records if row.rounds_done == record.round_index + 1]
        traffic = round_traffic(record, self.server.parameters.numel())
        return RoundReport(record, found[-1] if found else None, traffic, seconds, memory)

    def _evaluate(self) -> None:
        record = self.evaluations.run(self.server.rounds_done, self.server.parameters)
        self.callbacks.after_evaluation(record, self.evaluations.records[0])

    def _ending(self, stop_requested: Callable[[], bool]) -> Outcome | None:
        if self.server.rounds_done >= self.total_rounds:
            return "completed"
        if self.evaluations.exhausted():
            return "stopped early"
        return "interrupted" if stop_requested() else None

    def _check_divergence(self) -> None:
        if self.server.nonfinite > self.max_nonfinite:
            raise DivergedError(
                f"{self.server.nonfinite} losses were not finite after round {self.server.rounds_done}; "
                f"llm.max_nonfinite = {self.max_nonfinite} allows no more\n"
                "    try a smaller train.optimizer.lr, or zo.mu, or full precision (train.is_enable_half False)"
            )


def round_traffic(record: RoundRecord, size: int) -> list[Traffic]:
    """Return the bytes of each client of a round, ``size`` being the number of parameters."""
    scalars = [None if c.gradients is None else sum(map(len, c.gradients)) for c in record.clients]
    known = [count for count in scalars if count is not None]
    down = bytes_down(size, known if len(known) == len(scalars) else None)
    return [Traffic(bytes_up(size, count), down) for count in scalars]
