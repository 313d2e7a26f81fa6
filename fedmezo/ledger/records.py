"""The records of a run: what determines it, and what was decided on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # records are also read where no model is

REASONS = (
    "malformed",
    "of another configuration, model or starting point",
    "of another round",
    "of another client",
    "a wrong number of values",
    "a value that is not finite",
    "a value beyond federate.gradient_bound",
    "none: the client failed",
    "none in time",
)


@dataclass(frozen=True)
class Header:
    """What a run started from.

    Args:
        hashes: BLAKE2b of 16 bytes each, by name: see :data:`fedmezo.ledger.codec.HASHES`.
        size: number of trainable parameters d.
        configuration: every key that the rounds depend on, by dotted name.
    """

    hashes: Mapping[str, bytes]
    size: int
    configuration: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ClientRecord:
    """One client's part in a round.

    Args:
        client: its index.
        learning_rate: it used.
        examples: it trained on.
        weight: its numerator in the average.
        train_loss: mean over its finite steps, by their examples, an fp32 value; NaN if there was none.
        nonfinite: losses that were not finite.
        gradients: projected gradients g, fp32 [H, Q], where scalars travel.
        failed: bool [H, Q]: losses that were not finite, whose gradient is 0; None: none of them.
        update_distance: where the strategy asks for it.
        seconds: of the client's work (not part of what determines the run).
    """

    client: int
    learning_rate: float
    examples: int
    weight: int
    train_loss: float
    nonfinite: int = 0
    gradients: NDArray[np.float32] | None = None
    failed: NDArray[np.bool_] | None = None
    update_distance: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Rejection:
    """An answer of a client that was not taken, and why (one of :data:`REASONS`)."""

    client: int
    reason: str


@dataclass(frozen=True, eq=False)
class RoundRecord:
    """One round: enough to rebuild its parameters from those before, or their hash where weights travel.

    Args:
        round_index: which.
        clients: whose answers were taken, in ascending order.
        rejected: answers that were not.
        digest: BLAKE2b of 16 bytes of the parameters after the round, where weights travel.
        parameters: those parameters, fp32 [d] (not written to the ledger: a snapshot holds them).
        state: of the aggregation rule after the round, likewise.
    """

    round_index: int
    clients: tuple[ClientRecord, ...]
    rejected: tuple[Rejection, ...] = ()
    digest: bytes | None = None
    parameters: "Tensor | None" = None
    state: "Mapping[str, Tensor]" = field(default_factory=dict)

    @property
    def rounds_done(self) -> int:
        """How many rounds are done after this one."""
        return self.round_index + 1


@dataclass(frozen=True)
class EvaluationRecord:
    """How good the global model is after ``rounds_done`` rounds.

    Args:
        rounds_done: 0 for the evaluation before training.
        losses: {'val': ..., 'test': ...}.
        details: of each split, accuracy, exact match, and the losses and accuracies of its clients and categories
            (ledgers of earlier versions lack these accuracies).
    """

    rounds_done: int
    losses: dict[str, float]
    details: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class HashRecord:
    """The hash of the parameters after ``rounds_done`` rounds: BLAKE2b of 16 bytes."""

    rounds_done: int
    digest: bytes


@dataclass(frozen=True)
class StopRecord:
    """Early stopping ended the run after ``rounds_done`` rounds, with this ``patience``."""

    rounds_done: int
    patience: int


Record = Header | RoundRecord | EvaluationRecord | HashRecord | StopRecord
