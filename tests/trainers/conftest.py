"""Local work on the tiny problem, and batches whose loss is not finite."""

from collections.abc import Callable

import pytest
import torch

from fedmezo.assembly import Problem
from fedmezo.data.batches import Batch
from fedmezo.models.scoring import Scorer
from fedmezo.trainers import LocalWork


@pytest.fixture
def work(tiny_problem: Problem) -> Callable[..., LocalWork]:
    """Return a maker of work for client 1 in round 2."""
    own = tiny_problem.data.partition.clients[1].train

    def make(steps: int = 3, rate: float = 0.01, queries: int = 1) -> LocalWork:
        return LocalWork(
            round_index=2,
            client=1,
            learning_rate=rate,
            steps=steps,
            batch=lambda step: tiny_problem.collate(own[2 * step : 2 * step + 2]),
            keys=[[100 * step + query for query in range(queries)] for step in range(steps)],
            on_step=lambda loss: None,
        )

    return make


class FaultyScorer(Scorer):
    """Gives NaN for batches that hold one of some examples."""

    def __init__(self, scorer: Scorer, faulty: set[int]) -> None:
        super().__init__(scorer.model, scorer.parameters)
        self.faulty = faulty

    def loss(self, point: torch.Tensor, batch: Batch) -> float:
        if self.faulty & set(batch.indices.tolist()):
            return float("nan")
        return super().loss(point, batch)
