"""The test vectors of docs/ledger-format.md; ``python -m tests.ledger.vectors`` prints them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.federation.aggregation.folding import ScalarAggregation, Weighting
from fedmezo.ledger.chain import PREAMBLE, first_chain, sealed
from fedmezo.ledger.codec import HASHES, configuration_text
from fedmezo.ledger.records import ClientRecord, HashRecord, Header, Record, Rejection, RoundRecord
from fedmezo.models.hashing import point_hash
from fedmezo.zeroth_order.replay import DirectionKeys, Replay
from tests import ledger_reader

LAYOUT = {"layer.bias": (2,), "layer.weight": (2, 2)}
CONFIGURATION: dict[str, Any] = {
    "seed": 7,
    "train.optimizer.weight_decay": 0.5,
    "zo.directions": "private",
    "zo.distribution": "gaussian",
    "zo.queries": 1,
    "zo.scales": [{"name": "bias", "scale": 0.1}],
    "zo.seed": None,
}
START = np.array([1.0, -1.0, 0.5, -0.5, 0.25, 0.0], dtype=np.float32)
REPLAY = Replay(
    ((0, 2, False), (2, 6, True)),
    CONFIGURATION["train.optimizer.weight_decay"],
    Directions("gaussian", (Part(0, 2, 0.1), Part(2, 6, 1.0))),
)


@dataclass(frozen=True)
class Vector:
    """The minimal ledger of the document, and what it leads to."""

    records: list[Record]
    after: np.ndarray
    half: np.ndarray

    def frames(self) -> list[bytes]:
        chain, found = first_chain(), []
        for record in self.records:
            frame, chain = sealed(record, chain)
            found.append(frame)
        return found

    def text(self) -> str:
        """Return it as the document says it: a line for each part."""
        parts = {"preamble": PREAMBLE, "first chain": first_chain(), "start": START.tobytes()}
        parts |= dict(zip(("header", "round", "hash"), self.frames(), strict=True))
        parts |= {"after": self.after.tobytes(), "after in bf16": self.half.tobytes()}
        return "".join(f"{name}\n{_lines(value.hex())}" for name, value in parts.items())


def bits_of(half: torch.Tensor) -> np.ndarray:
    """Return the bits of bf16, uint16."""
    return half.detach().reshape(-1).view(torch.int16).numpy().view(np.uint16)


def _lines(digits: str) -> str:
    return "".join(f"    {digits[start : start + 96]}\n" for start in range(0, len(digits), 96))


def vector() -> Vector:
    """Return the minimal ledger: a header, a round of two clients, and the hash of the parameters after it."""
    layout = "\n".join(f"{name} {shape}" for name, shape in LAYOUT.items())
    hashes = dict.fromkeys(HASHES, bytes(16)) | {
        "configuration": ledger_reader.hash16(configuration_text(CONFIGURATION).encode()),
        "parameters": ledger_reader.hash16(layout.encode()),
        "initial": ledger_reader.hash16(START.tobytes()),
    }
    gradients = [np.array([[2.0], [0.0]], dtype=np.float32), np.array([[-0.75]], dtype=np.float32)]
    failed = np.array([[False], [True]])
    clients = (
        ClientRecord(0, 0.125, 2, 1, 1.5, 1, gradients=gradients[0], failed=failed),
        ClientRecord(2, 0.1, 3, 3, math.nan, gradients=gradients[1]),
    )
    record = RoundRecord(0, clients, (Rejection(1, "a value that is not finite"),))
    seed = CONFIGURATION["seed"]
    aggregation = ScalarAggregation(REPLAY, DirectionKeys(seed), Weighting([1, 1, 3]), seed=seed)
    after = aggregation.apply(record, torch.from_numpy(START.copy()))[0]
    half = aggregation.apply(record, torch.from_numpy(START).bfloat16())[0]
    header = Header(hashes, len(START), CONFIGURATION)
    return Vector([header, record, HashRecord(1, point_hash(after))], after.numpy(), bits_of(half))


if __name__ == "__main__":
    print(vector().text(), end="")
