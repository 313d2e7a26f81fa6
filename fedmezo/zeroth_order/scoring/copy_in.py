"""Scoring by copying in: each point is copied into the model, and the one that was there back."""

from collections.abc import Sequence

from torch import Tensor

from fedmezo.data.batches import Batch
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.scorer import Request, Scorer, Total


class CopyInScorer(Scorer):
    """Losses of one lane after the other: any adapter can be scored."""

    manner = "one point after the other, copied into the model"

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        return [[self._total_at(point, lane, batch) for lane in lanes] for point, lanes, batch in requests]

    def _total_at(self, point: Tensor, lane: Lane, batch: Batch) -> Total:
        moved = point.clone()
        if lane.scale:
            self.directions.add(moved, [lane.key], [lane.scale])
        with self.at(moved):
            return self.totals(batch)[0]
