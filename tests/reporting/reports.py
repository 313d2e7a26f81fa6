"""Reports of made-up rounds."""

import math
from typing import Any

from fedmezo.federation.callbacks import RoundReport, Traffic
from fedmezo.ledger.records import ClientRecord, RoundRecord
from tests.ledger.made import evaluation

CLIENTS = (
    ClientRecord(0, 0.25, 4, 4, 2.0, seconds=1.5),
    ClientRecord(2, 0.5, 12, 12, 1.0, nonfinite=2, seconds=2.5),
)
UNTRAINED = ClientRecord(3, 0.5, 0, 0, math.nan, nonfinite=1, seconds=0.5)


def make_report(
    index: int = 0,
    clients: tuple[ClientRecord, ...] = CLIENTS,
    losses: dict[str, float] | None = None,
    **measured: Any,
) -> RoundReport:
    record = None if losses is None else evaluation(index + 1, **losses)
    traffic = [Traffic(up=100 + client.client, down=300) for client in clients]
    return RoundReport(RoundRecord(index, clients), record, traffic, **measured)
