"""What a run keeps on disk to go on from: the ledger, and snapshots where replaying it is not enough or not quick."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from fedmezo.core.errors import ResourceError
from fedmezo.core.log import LOG
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import HashRecord, RoundRecord
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.models.hashing import point_hash


@dataclass(frozen=True)
class Store:
    """The durable state of a run.

    Args:
        ledger: its records.
        snapshots: of its parameters.
        every: rounds between snapshots where scalars travel; 0 or less for none before the end.
        hash_every: rounds between hashes of the parameters in the ledger; likewise.
    """

    ledger: Ledger
    snapshots: Snapshots
    every: int
    hash_every: int = 0

    def append(self, record: RoundRecord) -> None:
        """Make a round durable. Weights that no scalars could rebuild are on the disk before their record is."""
        if record.parameters is not None:
            self.snapshots.write(record.rounds_done, record.parameters, self.ledger.following(record), record.state)
        self.ledger.append(record)

    def hash_due(self, rounds_done: int) -> bool:
        """Return whether the hash of the parameters is to be recorded now."""
        due = self.hash_every > 0 and rounds_done > 0 and rounds_done % self.hash_every == 0
        return due and rounds_done not in self.ledger.hashes()

    def record_hash(self, rounds_done: int, parameters: Tensor) -> None:
        """Record the hash of the parameters [d] after so many rounds."""
        self.ledger.append(HashRecord(rounds_done, point_hash(parameters)))

    def keep(self, rounds_done: int, parameters: Tensor, state: Mapping[str, Tensor], last: bool) -> None:
        """Write a snapshot of the parameters, and of the rule's state, after a round if one is due."""
        due = self.every > 0 and rounds_done % self.every == 0
        if not (due or last):
            return
        chains = self.ledger.chains()
        if rounds_done in chains and rounds_done not in self.snapshots.belonging(chains):
            self.snapshots.write(rounds_done, parameters, chains[rounds_done], state)

    def nearest(self, rounds: list[RoundRecord], size: int, cost: Callable[[RoundRecord], float]) -> "Start":
        """Return where to replay from: the snapshot, or the beginning, from which it takes least time.

        Args:
            rounds: to be rebuilt.
            size: of the parameters.
            cost: seconds of replaying a round.

        Raises:
            ResourceError: rounds in which weights travelled have no snapshot (:meth:`go_back` drops them).
        """
        chains = {done: chain for done, chain in self.ledger.chains().items() if done <= len(rounds)}
        for done in sorted(self.snapshots.belonging(chains), reverse=True):
            replay = sum(map(cost, rounds[:done]))
            if replay <= self.snapshots.seconds(done) and not _weights(rounds[:done]):
                break  # the snapshots before it would be no quicker
            held = self.snapshots.load(done, size)
            if held is None:  # an older one and a replay will do
                LOG.warning(f"{self.snapshots.folder}: the snapshot after round {done} is damaged, and passed over")
            elif not _weights(rounds[done:]):
                return Start(done, *held)
        if _weights(rounds):
            raise ResourceError(
                f"{self.snapshots.folder}\n    the snapshot after round {len(rounds)} is missing or damaged; "
                "rounds in which weights travelled cannot be rebuilt without it"
            )
        return Start(0, None)

    def roll_back(self, size: int) -> None:
        """Drop the rounds that cannot be rebuilt: those after the last snapshot, where weights travelled."""
        rounds, chains = self.ledger.rounds(), self.ledger.chains()
        if not _weights(rounds):
            return
        newest_first = reversed(self.snapshots.belonging(chains))
        last = next((done for done in newest_first if self.snapshots.load(done, size) is not None), 0)
        if last < len(rounds):
            self.ledger.roll_back(last, f"the rounds after round {last} cannot be rebuilt, as they have no snapshot")


@dataclass(frozen=True, eq=False)
class Start:
    """Where a replay begins: parameters [d] and rule's state after so many rounds; None for the run's own beginning."""

    rounds_done: int
    parameters: Tensor | None
    state: Mapping[str, Tensor] = field(default_factory=dict)


def _weights(rounds: list[RoundRecord]) -> bool:
    return any(record.digest is not None for record in rounds)
