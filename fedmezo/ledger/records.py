"""The records of a run: what determines it, and what was decided on the way."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # records are also read where no model is

LOSS = "loss"  # the metric that every evaluation has
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
class Measured:
    """What a metric has given for a split.

    Args:
        value: over all of its examples.
        higher_is_better: which of two values is the better one.
        clients: the metric by client, named by index; None where it was not recorded.
        categories: likewise by category.
    """

    value: float
    higher_is_better: bool = False
    clients: Mapping[str, float] | None = None
    categories: Mapping[str, float] | None = None


@dataclass(frozen=True)
class EvaluationRecord:
    """How good the global model is after ``rounds_done`` rounds.

    Args:
        rounds_done: 0 for the evaluation before training.
        splits: of each evaluated split, what each metric has given; the loss is the first of them (ledgers of earlier
            versions lack accuracies by client and category, or know nothing but losses).
    """

    rounds_done: int
    splits: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)

    @property
    def losses(self) -> dict[str, float]:
        """The loss of each split."""
        return {split: found[LOSS].value for split, found in self.splits.items()}

    def value(self, split: str, metric: str) -> float:
        """Return a metric of a split; NaN where it was not evaluated."""
        found = self.splits.get(split, {}).get(metric)
        return math.nan if found is None else found.value


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
