"""What a run keeps on disk to go on from: the log, and snapshots where replaying it is not enough or not quick."""

from dataclasses import dataclass

from torch import Tensor

from fedmezo.errors import ResourceError
from fedmezo.ledger.log import Log
from fedmezo.ledger.records import EvaluationRecord, RoundRecord
from fedmezo.ledger.snapshots import Snapshots


@dataclass(frozen=True)
class Store:
    """The durable state of a run.

    Args:
        log: its records.
        snapshots: of its parameters.
        every: rounds between snapshots where scalars travel; 0 or less for none before the end.
    """

    log: Log
    snapshots: Snapshots
    every: int

    def append(self, record: RoundRecord) -> None:
        """Make a round durable. Weights that no scalars could rebuild are on the disk before their record is."""
        if record.parameters is not None:
            self.snapshots.write(record.round_index + 1, record.parameters)
        self.log.append(record)

    def keep(self, record: RoundRecord, parameters: Tensor, last: bool) -> None:
        """Write a snapshot of the parameters after a round if one is due."""
        due = self.every > 0 and (record.round_index + 1) % self.every == 0
        if record.parameters is None and (due or last):
            self.snapshots.write(record.round_index + 1, parameters)

    def rounds(self) -> list[RoundRecord]:
        """Return the recorded rounds in order.

        Raises:
            ResourceError: one is missing, or there twice.
        """
        rounds = [record for record in self.log.records() if isinstance(record, RoundRecord)]
        for wanted, record in enumerate(rounds):
            if record.round_index != wanted:
                raise ResourceError(
                    f"{self.log.path}\n    the ledger is damaged: round {record.round_index} where {wanted} should be"
                )
        return rounds

    def evaluations(self) -> list[EvaluationRecord]:
        """Return the recorded evaluations in order."""
        return [record for record in self.log.records() if isinstance(record, EvaluationRecord)]

    def latest(self, rounds: list[RoundRecord], size: int) -> tuple[int, Tensor | None]:
        """Return (rounds done, parameters [d]) to replay from: the newest snapshot, or (0, None) for the beginning.

        Raises:
            ResourceError: the rounds hold no scalars to replay and the snapshot after them is missing.
        """
        done, parameters = self.snapshots.latest(len(rounds), size) or (0, None)
        weights = any(client.gradients is None for record in rounds[done:] for client in record.clients)
        if weights:
            raise ResourceError(
                f"{self.snapshots.folder}\n    the snapshot after round {len(rounds)} is missing; "
                "a backpropagation run cannot go on without it"
            )
        return done, parameters
