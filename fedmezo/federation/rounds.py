"""The round loop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fedmezo.core.errors import DivergedError
from fedmezo.core.memory import peak_memory_mib
from fedmezo.federation.callbacks import Callback, RoundReport
from fedmezo.federation.communication import Downlink
from fedmezo.federation.engine import Engine
from fedmezo.federation.evaluations import Evaluations
from fedmezo.federation.failure_policy import FailurePolicy
from fedmezo.federation.server import Server
from fedmezo.ledger.records import RoundRecord, StopRecord
from fedmezo.ledger.store import Store
from fedmezo.training.flops import FlopCounter

Outcome = Literal["completed", "stopped early", "interrupted"]


@dataclass
class Training:
    """The parts of a run, assembled.

    Args:
        server, engine, store, evaluations, callbacks: what they are called.
        failure_policy: of clients that fail.
        downlink: what the clients are sent; it has seen the rounds that are done.
        total_rounds: of the run.
        max_nonfinite: non-finite losses beyond which the run has diverged.
        counter: of the operations of the clients' training; None: they are not counted.
    """

    server: Server
    engine: Engine
    failure_policy: FailurePolicy
    store: Store
    evaluations: Evaluations
    downlink: Downlink
    callbacks: Callback
    total_rounds: int
    max_nonfinite: int
    counter: FlopCounter | None = None

    def run(self, stop_requested: Callable[[], bool]) -> Outcome:
        """Run the rounds that are left; ``stop_requested`` is asked after each, and after the first evaluation.

        Raises:
            DivergedError: too many losses were not finite; everything up to there is on the disk.
            ClientError: a client failed, or too few answered.
        """
        self.finish_round()
        self._check_divergence()
        ending = self._ending(stop_requested)
        if ending is not None:
            return ending
        for round_index in range(self.server.rounds_done, self.total_rounds):
            self._round(round_index)
            ending = self._ending(stop_requested)
            self.store.keep(self.server.rounds_done, self.server.parameters, self.server.state, last=ending is not None)
            self._check_divergence()
            if ending is not None:
                return ending
        return "completed"

    def _round(self, round_index: int) -> None:
        started, counted = time.perf_counter(), self.counter.total if self.counter else 0
        plan = self.server.plan(round_index)  # sampled clients, learning rates
        self.callbacks.before_round(round_index, [task.learning_rate for task in plan.tasks])
        results = self.failure_policy.run(self.engine, plan, self.server.parameters)  # folded in as they arrive
        record = self.server.aggregate(plan, results)
        self.failure_policy.check(plan, record)
        self.store.append(record)  # durable before it is visible
        self.server.apply(record)
        self.finish_round()
        seconds = time.perf_counter() - started
        flops = self.counter.total - counted if self.counter else None
        report = self.report(record, self.downlink)
        self.callbacks.after_round(replace(report, seconds=seconds, peak_memory_mib=peak_memory_mib(), flops=flops))

    def finish_round(self) -> None:
        """Record what belongs after the rounds that are done, and is not recorded yet: hash, evaluation, decision."""
        done = self.server.rounds_done
        if self.store.hash_due(done):
            self.store.record_hash(done, self.server.parameters)
        if self.evaluations.due(done, self.total_rounds):
            record = self.evaluations.run(done, self.server.parameters)
            self.callbacks.after_evaluation(record, self.evaluations.records[0])
        if self._new_best(done) and done not in self.store.ledger.hashes():
            self.store.record_hash(done, self.server.parameters)
        if self._exhausted() and not self.store.ledger.has(StopRecord, done):
            self.store.ledger.append(StopRecord(done, self.evaluations.patience))

    def reports(self, rounds: Sequence[RoundRecord], downlink: Downlink) -> list[RoundReport]:
        """Return the reports of recorded rounds, from the first; ``downlink`` has seen none yet."""
        return [self.report(record, downlink) for record in rounds]

    def report(self, record: RoundRecord, downlink: Downlink) -> RoundReport:
        """Return the report of a recorded round, which ``downlink`` has not seen yet, but for what was measured."""
        found = [row for row in self.evaluations.records if row.rounds_done == record.rounds_done]
        return RoundReport(record, found[-1] if found else None, downlink.observe(record))

    def _ending(self, stop_requested: Callable[[], bool]) -> Outcome | None:
        if self.server.rounds_done >= self.total_rounds:
            return "completed"
        if self._exhausted() or self.callbacks.wants_stop():
            return "stopped early"
        return "interrupted" if stop_requested() else None

    def _new_best(self, done: int) -> bool:
        """Return whether the model after so many rounds is the best so far; the initial one has its hash already."""
        best = self.evaluations.best
        return done > 0 and best is not None and best.rounds_done == done

    def _exhausted(self) -> bool:
        """Return whether early stopping ends the run before its last round."""
        return self.server.rounds_done < self.total_rounds and self.evaluations.exhausted()

    def _check_divergence(self) -> None:
        if self.server.nonfinite > self.max_nonfinite:
            raise DivergedError(
                f"{self.server.nonfinite} losses were not finite after round {self.server.rounds_done}; "
                f"llm.max_nonfinite = {self.max_nonfinite} allows no more\n"
                "    try a smaller train.optimizer.lr, or zo.mu, or full precision (train.is_enable_half False)"
            )
