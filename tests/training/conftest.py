"""Local work on the tiny problem, and batches whose loss is not finite."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from fedmezo.assembly import LearningTask
from fedmezo.training import LocalWork
from fedmezo.zeroth_order.scoring import CopyInScorer, Request, Scorer
from fedmezo.zeroth_order.scoring.response_logits import Responses
from fedmezo.zeroth_order.scoring.scorer import Total


@pytest.fixture
def work(tiny_task: LearningTask) -> Callable[..., LocalWork]:
    """Return a maker of work for client 1 in round 2."""
    own = tiny_task.data.partition.clients[1].train

    def make(steps: int = 3, rate: float = 0.01, queries: int = 1) -> LocalWork:
        return LocalWork(
            round_index=2,
            client=1,
            learning_rate=rate,
            steps=steps,
            batch=lambda step: tiny_task.collate(own[2 * step : 2 * step + 2]),
            keys=[[100 * step + query for query in range(queries)] for step in range(steps)],
            on_step=lambda loss: None,
        )

    return make


class FaultyScorer(CopyInScorer):
    """Gives NaN for batches that hold one of some examples."""

    def __init__(self, scorer: Scorer, faulty: set[int]) -> None:
        super().__init__(scorer.model, scorer.parameters)
        self.faulty = faulty

    def _sum(self, responses: Responses) -> tuple[Tensor, int]:
        return (torch.tensor(math.nan), 1) if self._now & self.faulty else super()._sum(responses)

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        found = []
        for request in requests:
            self._now = set(request.batch.indices.tolist())
            found += super()._totals([request])
        return found
