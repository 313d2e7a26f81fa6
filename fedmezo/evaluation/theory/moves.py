"""Steps that are really taken: by how much each lowers the loss of examples that it has not seen."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fedmezo.data.batches import Batch
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.estimate import estimate
from fedmezo.zeroth_order.replay import Replay, Steps
from fedmezo.zeroth_order.scoring import Scorer


def gains(
    estimating: Scorer,
    exact: Scorer,
    batches: Sequence[Batch],
    held_out: Sequence[Batch],
    keys: Sequence[Sequence[int]],
    *,
    estimator: Estimator,
    mu: float,
    rate: float,
    blocks: int = 1,
    on_batch: Callable[[], object] = lambda: None,
) -> NDArray[np.float64]:
    """Return by how much each of some steps, all from the point that the model stands at, lowers the loss [M, E].

    Args:
        estimating: scorer of the run, by which steps learn.
        exact: the model in fp32 at the same point, in which losses fall.
        batches: of the steps, which take them in turn.
        held_out: E batches that losses are of.
        keys: of the directions [M, Q].
        estimator: of the run.
        mu: likewise.
        rate: of every step.
        blocks: how many the directions are in, K.
        on_batch: told of every step.
    """
    start, point = exact.parameters.buffer, estimating.parameters.buffer
    replay = Replay(((0, len(start), False),), 0.0, estimating.directions, blocks)
    before = np.array([exact.loss(start, batch) for batch in held_out])
    found = []
    for number, own in enumerate(keys):
        losses = partial(estimating.losses, batch=batches[number % len(batches)])
        learnt = np.array([[each.gradient for each in estimate(estimator, losses, point, own, mu)]], dtype=np.float32)
        moved = replay(start, [Steps([own], learnt, rate)])
        found.append(before - [exact.loss(moved, batch) for batch in held_out])
        on_batch()
    return np.array(found)
