"""A user's extension: a trainer that is slow and fails on demand; where no demand is made, it is mezotrainer.

FEDMEZO_FAULTS, in the environment of a node, is a folder. There the trainer notes the round that a client begins, and
looks for demands: files named FAULT-CLIENT-ROUND, whose content says how many times they are met (none: always).
"""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from fedmezo.federation import client as client_side
from fedmezo.training import LocalUpdate, LocalWork, register
from fedmezo.training.mezo import MezoTrainer

FOLDER = os.environ.get("FEDMEZO_FAULTS", "")
DELAY = float(os.environ.get("FEDMEZO_FAULTS_DELAY", "0"))
if FOLDER:  # a node that sends what is not finite does not check it before
    client_side.checked_update = lambda trainer, update, start, work: update  # type: ignore[attr-defined]


@register("faulty")
class Faulty(MezoTrainer):
    """Trains as mezotrainer does, later or worse."""

    def train(self, start: Tensor, work: LocalWork) -> LocalUpdate:
        """Train, or do what is demanded."""
        if FOLDER:
            (Path(FOLDER) / f"client{work.client}").write_text(str(work.round_index))
            time.sleep(DELAY)
            if _demanded("raise", work):
                raise ValueError(f"client {work.client} was told to fail")
        update = super().train(start, work)
        if FOLDER and _demanded("nan", work):
            assert update.gradients is not None
            return replace(update, gradients=np.full_like(update.gradients, np.nan))
        return update


def _demanded(fault: str, work: LocalWork) -> bool:
    """Return whether a fault is to happen, and take note of it."""
    demand = Path(FOLDER) / f"{fault}-{work.client}-{work.round_index}"
    if not demand.exists():
        return False
    left = demand.read_text()
    if left:
        demand.unlink() if int(left) <= 1 else demand.write_text(str(int(left) - 1))
    return True
