"""The server: global parameters, the clients' learning rates, and what a round changes of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from fedmezo.federation.aggregation import Aggregation
from fedmezo.federation.messages import Plan, Result, Task
from fedmezo.interrupt import undisturbed
from fedmezo.ledger.records import RoundRecord
from fedmezo.ledger.store import Store
from fedmezo.strategies import History, Observation, Strategy
from fedmezo.strategies.contract import checked_rates


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


@dataclass
class Server:
    """State and decisions of the federation.

    Args:
        parameters: global parameters, fp32 [d].
        sample: the clients of a round.
        rates: their learning rates.
        aggregation: how updates are combined.
        seed: of the run.
        in_place: whether the parameters stay the same tensor, whose values change.
    """

    parameters: Tensor
    sample: Callable[[int], Sequence[int]]
    rates: Rates
    aggregation: Aggregation
    seed: int
    in_place: bool = False
    rounds_done: int = 0
    nonfinite: int = 0
    observations: list[Observation] = field(default_factory=list)

    def plan(self, round_index: int) -> Plan:
        """Return the tasks of a round."""
        clients = self.sample(round_index)
        rates = self.rates(History(round_index, self.seed, self.observations), clients)
        return Plan(round_index, tuple(Task(round_index, client, rates[client]) for client in clients))

    def aggregate(self, plan: Plan, results: Iterable[Result]) -> RoundRecord:
        """Fold the results of a round into its record; the server's own state is not changed yet."""
        return self.aggregation.aggregate(plan, results, self.parameters)

    def apply(self, record: RoundRecord) -> None:
        """Move to the state after a recorded round."""
        if self.in_place:
            with undisturbed():  # half of them moved would be saved as if it were a model
                self.aggregation.apply(record, self.parameters, self.parameters)
        else:
            self.parameters = self.aggregation.apply(record, self.parameters)
        self.observe(record)

    def observe(self, record: RoundRecord) -> None:
        """Take note of a recorded round whose parameters are already in place."""
        self.rounds_done = record.round_index + 1
        for row in record.clients:
            self.nonfinite += row.nonfinite
            self.observations.append(
                Observation(record.round_index, row.client, row.train_loss, row.examples, row.update_distance)
            )

    def restore(self, store: Store, until: int | None = None) -> list[RoundRecord]:
        """Move to the state after ``until`` rounds (None: all that are recorded) and return these.

        What no snapshot covers is replayed.
        """
        rounds = store.rounds()[:until]
        done, parameters = store.latest(rounds, self.parameters.numel())
        if parameters is not None:
            if self.in_place:
                self.parameters.copy_(parameters)
            else:
                self.parameters = parameters.to(self.parameters.device)
        for record in rounds[:done]:
            self.observe(record)
        for record in rounds[done:]:
            self.apply(record)
        return rounds
