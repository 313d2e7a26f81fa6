"""The records of a run, and their form as JSON (floats keep every bit)."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from fedmezo.ledger.lines import finite


@dataclass(frozen=True)
class ClientRecord:
    """One client's part in a round.

    Args:
        client: its index.
        learning_rate: it used.
        examples: it trained on.
        weight: its numerator in the average.
        train_loss: mean over its finite steps; NaN if there was none.
        nonfinite: losses that were not finite.
        gradients: projected gradients g [H][Q] as fp32 values, where scalars travel.
        failed: the (step, query) whose loss was not finite; their gradient is 0.
        update_distance: where the strategy asks for it.
        seconds: of the client's work (not part of what determines the run).
    """

    client: int
    learning_rate: float
    examples: int
    weight: float
    train_loss: float
    nonfinite: int = 0
    gradients: tuple[tuple[float, ...], ...] | None = None
    failed: tuple[tuple[int, int], ...] = ()
    update_distance: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class RoundRecord:
    """One round: enough to rebuild its parameters from those before, or (``weights``) the parameters themselves."""

    round_index: int
    clients: tuple[ClientRecord, ...]
    parameters: Tensor | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record without its tensor and its timings."""
        clients = [asdict(client) for client in self.clients]
        for client in clients:
            del client["seconds"]
            client["train_loss"] = _null_if_nan(client["train_loss"])
        return {"kind": "round", "round": self.round_index, "clients": clients}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "RoundRecord":
        """Return the record of a JSON object of :meth:`to_json`."""
        return cls(row["round"], tuple(_client_from_json(client) for client in row["clients"]))


@dataclass(frozen=True)
class EvaluationRecord:
    """How good the global model is after ``rounds_done`` rounds.

    Args:
        rounds_done: 0 for the evaluation before training.
        losses: {'val': ..., 'test': ...}.
        details: of each split, accuracy, exact match, and the losses of its clients and categories.
    """

    rounds_done: int
    losses: dict[str, float]
    details: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        losses = {split: _null_if_nan(loss) for split, loss in self.losses.items()}
        return {
            "kind": "evaluation",
            "rounds_done": self.rounds_done,
            "losses": losses,
            "details": finite(self.details),
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "EvaluationRecord":
        """Return the record of a JSON object of :meth:`to_json`."""
        losses = {split: math.nan if loss is None else loss for split, loss in row["losses"].items()}
        return cls(row["rounds_done"], losses, row["details"])


def _null_if_nan(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _client_from_json(row: dict[str, Any]) -> ClientRecord:
    gradients = row["gradients"]
    return ClientRecord(
        **{
            **row,
            "train_loss": math.nan if row["train_loss"] is None else row["train_loss"],
            "failed": tuple((step, query) for step, query in row["failed"]),
            "gradients": None if gradients is None else tuple(tuple(step) for step in gradients),
        }
    )
