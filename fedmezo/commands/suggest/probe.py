"""A move of the clients from the initial point that can be tried at any rate; nothing is trained."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm
from yacs.config import CfgNode

from fedmezo.assembly import Federation, LearningTask, assemble_federation
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.batches import Batch
from fedmezo.federation.messages import Plan
from fedmezo.ledger.records import RoundRecord

DIRECTIONS = 30  # about as many steps of all clients together make the move that is tried
DESCENTS = 10  # steps of each client, at most, where weights travel: they are taken anew for every rate
EXAMPLES = 32  # that a move is tried on
LEAST_EXAMPLES = 16  # of a validation set, to be used for that
HELD = -4  # the "client" of the stream that they are drawn from


class Probe:
    """The paired change of the loss by one move from the initial point, with the same directions and batches.

    Projected gradients are learnt once, at the initial point; where they lead to is then known for any rate. Where
    weights travel, the steps are taken anew for every rate.
    """

    def __init__(self, cfg: CfgNode, learning_task: LearningTask, bar: "tqdm[Any]") -> None:
        self._task, self._bar = learning_task, bar
        self.federation = assemble_federation(cfg, learning_task, self._on_step)
        plan = self.federation.server.plan(0)
        validation = learning_task.data.partition.union("val")
        separate = len(validation) >= LEAST_EXAMPLES
        steps = _steps(cfg, self.federation, plan, halved=not separate)
        self.plan = Plan(0, tuple(replace(task, steps=steps) for task in plan.tasks))
        self._where = "val" if separate else "train, unused by them"
        self.batches = _batches(cfg, learning_task, validation if separate else self._unused())
        self._record = self._round(0.0) if self.federation.scalars else None
        self._before: NDArray[np.float64] | None = None

    def _unused(self) -> NDArray[np.int64]:
        """Return the training examples that the move does not learn from."""
        own, tasks = self.federation.local_data, self.plan.tasks
        used = [own.indices(task.client, step) for task in tasks for step in range(task.steps)]
        return np.setdiff1d(self._task.data.partition.union("train"), np.concatenate(used))

    def describe(self) -> str:
        """Return what the changes are of, in words."""
        steps = sum(task.steps for task in self.plan.tasks)
        examples = sum(len(batch.labels) for batch in self.batches)
        return (
            f"change of the loss by {steps} steps of {len(self.plan.tasks)} clients from the initial point, "
            f"on {examples} examples of {self._where}, paired"
        )

    def __call__(self, rate: float) -> NDArray[np.float64]:
        """Return the changes at a rate, batch by batch."""
        start = self._task.start
        if self._before is None:
            self._before = self._losses(start)
        self._bar.set_description_str(f"rate {rate:g}")
        record = self._at_rate(rate)
        with self._task.scorer.restoring(start):
            out = start if self.federation.server.in_place else None
            point, _ = self.federation.server.aggregation.apply(record, start, out, self.federation.server.state)
            after = self._losses(point)
        return after - self._before

    def _at_rate(self, rate: float) -> RoundRecord:
        if self._record is None:
            return self._round(rate)
        return replace(self._record, clients=tuple(replace(row, learning_rate=rate) for row in self._record.clients))

    def _round(self, rate: float) -> RoundRecord:
        """Return the record of a round in which all clients have a rate."""
        tasks = tuple(replace(task, learning_rate=rate) for task in self.plan.tasks)
        replies = (self.federation.executor(task, self._task.start) for task in tasks)
        return self.federation.server.aggregate(Plan(0, tasks), replies)

    def _on_step(self, loss: float) -> None:
        self._bar.update()

    def _losses(self, point: Tensor) -> NDArray[np.float64]:
        found = []
        for batch in self.batches:
            found.append(self._task.scorer.loss(point, batch))
            self._bar.update()
        return np.array(found)


def _steps(cfg: CfgNode, federation: Federation, plan: Plan, *, halved: bool) -> int:
    """Return the steps of each client; ``halved`` leaves it half of its examples."""
    wanted = math.ceil(DIRECTIONS / len(plan.tasks) / int(cfg.zo.queries))
    if not federation.scalars:
        wanted = min(DESCENTS, *(task.steps for task in plan.tasks))
    smallest = min(len(federation.local_data.examples[task.client]) for task in plan.tasks)
    return max(1, min(wanted, smallest // (2 * int(cfg.dataloader.batch_size)))) if halved else wanted


def _batches(cfg: CfgNode, learning_task: LearningTask, pool: NDArray[np.int64]) -> list[Batch]:
    """Return batches of some of the examples of a pool."""
    size = cfg.dataloader.batch_size
    count = min(len(pool), EXAMPLES) // size
    if count < 2:
        raise ConfigurationError(
            f"--suggest\n    {len(pool)} examples are left to try rates on, expected at least {2 * size}: two batches"
        )
    draw = generator(stream_key(cfg.seed, "data", client=HELD, query=1))
    return [learning_task.collate(indices) for indices in draw.choice(pool, (count, size), replace=False)]
