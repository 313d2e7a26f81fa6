"""The server: global parameters, the clients' learning rates, and what a round changes of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from torch import Tensor

from fedmezo.core.errors import ResourceError
from fedmezo.core.interrupt import undisturbed
from fedmezo.core.log import LOG
from fedmezo.federation.aggregation import State
from fedmezo.federation.aggregation.folding import Aggregation, Result
from fedmezo.federation.aggregation.validation import checked_state
from fedmezo.federation.engine import Failure
from fedmezo.federation.messages import Plan, Reply, Task
from fedmezo.federation.strategies import History, Observation, Strategy
from fedmezo.federation.strategies.validation import checked_rates
from fedmezo.federation.validation import FAILED, LATE, AnswerValidation
from fedmezo.ledger.records import Rejection, RoundRecord
from fedmezo.ledger.store import Store
from fedmezo.models.hashing import point_hash


@dataclass(frozen=True)
class Rates:
    """The clients' learning rates: what the strategy says, times the schedule's factor of the round."""

    strategy: Strategy
    base: float
    half_width: float
    schedule: Callable[[int], float]

    def __call__(self, history: History, clients: Sequence[int]) -> dict[int, float]:
        """Return the rate of each client for the next round."""
        found = self.strategy.rates(history, clients, self.base, self.half_width)
        rates = checked_rates(self.strategy, found, clients)
        factor = self.schedule(history.next_round)
        return {client: rate * factor for client, rate in rates.items()}


@dataclass(frozen=True)
class Restored:
    """The rounds whose state a server has moved to, and after how many of them it began to replay."""

    rounds: list[RoundRecord]
    began: int


@dataclass
class Server:
    """State and decisions of the federation.

    Args:
        parameters: global parameters, fp32 [d].
        sample: the clients of a round, with the local steps of each.
        rates: their learning rates.
        validation: which of their answers count.
        aggregation: how updates are combined.
        seed: of the run.
        total_rounds: of the run, for strategies that look at it.
        in_place: whether the parameters stay the same tensor, whose values change.
    """

    parameters: Tensor
    sample: Callable[[int], Mapping[int, int]]
    rates: Rates
    validation: AnswerValidation
    aggregation: Aggregation
    seed: int
    total_rounds: int = 0
    in_place: bool = False
    rounds_done: int = 0
    nonfinite: int = 0
    observations: list[Observation] = field(default_factory=list)
    state: State = field(init=False)  # of the aggregation rule

    def __post_init__(self) -> None:
        """Begin with the state of the aggregation rule for the initial parameters."""
        self.state = checked_state(self.aggregation.rule, self.parameters)

    def plan(self, round_index: int) -> Plan:
        """Return the tasks of a round."""
        steps = self.sample(round_index)
        rates = self.rates(self._history(round_index), list(steps))
        tasks = (Task(round_index, client, rates[client], count) for client, count in steps.items())
        return Plan(round_index, tuple(tasks))

    def _history(self, round_index: int) -> History:
        return History(round_index, self.seed, self.observations, self.total_rounds)

    def aggregate(self, plan: Plan, results: Iterable[Reply | Failure]) -> RoundRecord:
        """Fold the results of a round into its record; the server's own state is not changed yet."""
        return self.aggregation.aggregate(plan, map(self._result, _once(results)), self.parameters, self.state)

    def _result(self, found: Reply | Failure) -> Result:
        if isinstance(found, Failure):
            return Result(found.task, Rejection(found.task.client, LATE if found.late else FAILED), 0.0)
        return Result(found.task, self.validation(found), found.seconds)

    def apply(self, record: RoundRecord) -> None:
        """Move to the state after a recorded round."""
        with (
            undisturbed() if self.in_place else nullcontext()
        ):  # half of them moved would be saved as if it were a model
            target = self.parameters if self.in_place else None
            self.parameters, self.state = self.aggregation.apply(record, self.parameters, target, self.state)
            self.observe(record)

    def observe(self, record: RoundRecord) -> None:
        """Take note of a recorded round whose parameters are already in place."""
        self.rounds_done = record.round_index + 1
        for row in record.clients:
            self.nonfinite += row.nonfinite
            self.observations.append(
                Observation(record.round_index, row.client, row.train_loss, row.examples, row.update_distance)
            )

    def restore(self, store: Store, until: int | None = None, *, fresh: bool = False) -> Restored:
        """Move to the state after ``until`` rounds (None: all that are recorded).

        Begins at a snapshot, or at the run's beginning, whichever takes less time, and replays from there.

        Args:
            store: of the run.
            until: rounds.
            fresh: begin at the run's beginning, where scalars travelled.

        Raises:
            ResourceError: what is rebuilt is not what the ledger holds the hash of, or cannot be rebuilt.
        """
        rounds = store.ledger.rounds()[:until]
        size = self.parameters.numel()
        replayable = fresh and not any(record.digest for record in rounds)
        cost = (lambda record: 0.0) if replayable else (lambda record: self.aggregation.seconds(record, size))
        start = store.nearest(rounds, size, cost)
        if start.parameters is not None:
            self._move(start.parameters)
            self.state = {name: value.to(self.parameters.device) for name, value in start.state.items()}
        for record in rounds[: start.rounds_done]:
            self.observe(record)
        hashes = store.ledger.hashes()
        self._check(store, hashes)
        for record in rounds[start.rounds_done :]:
            self.apply(record)
            self._check(store, hashes)
        return Restored(rounds, start.rounds_done)

    def _move(self, parameters: Tensor) -> None:
        if self.in_place:
            self.parameters.copy_(parameters)
        else:
            self.parameters = parameters.to(self.parameters.device)

    def _check(self, store: Store, hashes: Mapping[int, bytes]) -> None:
        recorded = hashes.get(self.rounds_done)
        if recorded is not None and point_hash(self.parameters) != recorded:
            raise ResourceError(
                f"{store.ledger.path}\n    the parameters rebuilt after round {self.rounds_done} are not those of the "
                "run: their hash differs; packages have changed since, or the machine computes otherwise"
            )


def _once(results: Iterable[Reply | Failure]) -> Iterator[Reply | Failure]:
    """Yield the first result of each client."""
    seen: set[int] = set()
    for reply in results:
        if reply.task.client in seen:
            LOG.warning(
                f"round {reply.task.round_index}: client {reply.task.client} has answered already; "
                "its other answer does not count"
            )
            continue
        seen.add(reply.task.client)
        yield reply
