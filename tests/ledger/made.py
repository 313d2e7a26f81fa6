"""Made-up records and ledgers."""

import math
from pathlib import Path

import numpy as np
import torch

from fedmezo.ledger.codec import HASHES
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import (
    LOSS,
    ClientRecord,
    EvaluationRecord,
    HashRecord,
    Header,
    Measured,
    Record,
    RoundRecord,
    StopRecord,
)
from fedmezo.models.hashing import point_hash

SIZE = 3


def make_header(**changes: object) -> Header:
    hashes = {name: bytes([number]) * 16 for number, name in enumerate(HASHES)}
    values = {"hashes": hashes, "size": SIZE, "configuration": {"seed": 0, "train.optimizer.lr": 1e-5}} | changes
    return Header(**values)  # type: ignore[arg-type]


def parameters_after(rounds_done: int) -> torch.Tensor:
    return torch.full((SIZE,), float(rounds_done))


def scalar_round(index: int) -> RoundRecord:
    gradients = np.array([[0.25], [-0.0]], dtype=np.float32)
    return RoundRecord(index, (ClientRecord(0, 0.1, 2, 2, 1.5, gradients=gradients),))


def weight_round(index: int) -> RoundRecord:
    parameters = parameters_after(index + 1)
    return RoundRecord(
        index,
        (ClientRecord(0, 0.1, 2, 2, math.nan),),
        digest=point_hash(parameters),
        parameters=parameters,
    )


def evaluation(rounds_done: int, **losses: float) -> EvaluationRecord:
    """Return an evaluation that knows nothing but the losses of splits."""
    return EvaluationRecord(rounds_done, {split: {LOSS: Measured(loss)} for split, loss in losses.items()})


RECORDS: list[Record] = [
    evaluation(0, val=2.0),
    scalar_round(0),
    scalar_round(1),
    HashRecord(2, b"h" * 16),
    evaluation(2, val=2.5),
    StopRecord(2, 1),
]


def make_ledger(path: Path, records: list[Record] | None = None) -> Ledger:
    ledger = Ledger(path)
    ledger.begin(make_header())
    for record in RECORDS if records is None else records:
        ledger.append(record)
    return ledger
