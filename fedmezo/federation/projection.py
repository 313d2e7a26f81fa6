"""What the paper's run would send: 3 clients, 500 rounds of 30 steps, LoRA of a model of 3 billion parameters.

Source: Ling et al. (KDD 2024), section 6.1; its LoRA tensors have 85.2 MB in fp32.
"""

import numpy as np

from fedmezo.federation.callbacks import Traffic
from fedmezo.federation.downlink import Downlink
from fedmezo.federation.messages import IDENTITY_SIZE
from fedmezo.ledger.records import ClientRecord, RoundRecord

CLIENTS, ROUNDS, STEPS, PARAMETERS = 3, 500, 30, 21_299_200


def round_traffic(size: int, steps: list[int], queries: int, scalars: bool, itemsize: int = 4) -> Traffic:
    """Return the most that a client sends and is sent in a round in which all take part, as in the one before.

    Args:
        size: number of parameters.
        steps: of each client.
        queries: Q of a step.
        scalars: whether scalars travel.
        itemsize: bytes of a parameter.
    """
    downlink = Downlink(bytes(IDENTITY_SIZE), size, scalars, itemsize)
    downlink.observe(_round(0, steps, queries))
    found = downlink.observe(_round(1, steps, queries))
    return Traffic(max(traffic.up for traffic in found), max(traffic.down for traffic in found))


def paper_bytes(scalars: bool) -> int:
    """Return the bytes that travel in the paper's run, both ways, of all clients and rounds."""
    traffic = round_traffic(PARAMETERS, [STEPS] * CLIENTS, 1, scalars)
    return ROUNDS * CLIENTS * (traffic.up + traffic.down)


def _round(number: int, steps: list[int], queries: int) -> RoundRecord:
    return RoundRecord(
        number,
        tuple(
            ClientRecord(client, 1.0, 1, 1, 1.0, gradients=np.zeros((count, queries), dtype=np.float32))
            for client, count in enumerate(steps)
        ),
    )
