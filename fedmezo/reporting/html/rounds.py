"""The lines of ``metrics.jsonl`` as a report needs them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedmezo.ledger.records import LOSS


@dataclass(frozen=True)
class ClientRow:
    """A client's part in a round; None where the run could not tell."""

    client: int
    loss: float | None
    learning_rate: float
    nonfinite: int
    bytes_up: int
    bytes_down: int


@dataclass(frozen=True)
class RoundRow:
    """A round.

    Args:
        done: rounds done after it.
        train_loss: mean of its clients'.
        losses: by split, where the round was evaluated.
        clients: whose answers counted.
        rejected: number of answers that did not.
        seconds: it took, evaluation included.
        peak_memory_mib: of the process so far.
    """

    done: int
    train_loss: float | None
    losses: Mapping[str, float]
    clients: Sequence[ClientRow]
    rejected: int
    seconds: float | None
    peak_memory_mib: float | None


def round_rows(lines: Sequence[Mapping[str, Any]]) -> list[RoundRow]:
    """Return the lines that are a round each, in order; of two for the same round the later one."""
    return sorted({row.done: row for row in _sound(lines)}.values(), key=lambda row: row.done)


def _sound(lines: Sequence[Mapping[str, Any]]) -> Iterator[RoundRow]:
    for line in lines:
        try:
            yield _round(line)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue  # another program's line, or a damaged one


def _round(line: Mapping[str, Any]) -> RoundRow:
    losses = {split: line.get(f"{split}_{LOSS}") for split in ("val", "test")}
    return RoundRow(
        done=int(line["round"]) + 1,
        train_loss=_number(line["train_loss"]),
        losses={split: float(loss) for split, loss in losses.items() if loss is not None},
        clients=[_client(row) for row in line["clients"]],
        rejected=len(line["rejected"]),
        seconds=_number(line["seconds"]),
        peak_memory_mib=_number(line["peak_memory_mib"]),
    )


def _client(row: Mapping[str, Any]) -> ClientRow:
    return ClientRow(
        client=int(row["client"]),
        loss=_number(row["loss"]),
        learning_rate=float(row["learning_rate"]),
        nonfinite=int(row["nonfinite"]),
        bytes_up=int(row["bytes_up"]),
        bytes_down=int(row["bytes_down"]),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
