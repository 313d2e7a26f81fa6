"""The forwards of lanes whose directions are inside blocks of layers.

The first forward takes the unperturbed point along, and as many lanes as there is room for; its states where blocks
begin are what later forwards begin with. So a step of Q one-sided queries, one in each of Q blocks, costs about
1 + (Q + 1) / 2 forwards instead of 1 + Q.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from fedmezo.data.batches import Batch
from fedmezo.models.blocks import BEFORE
from fedmezo.models.half_precision import Pairing
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.ascent import Ascent, States
from fedmezo.zeroth_order.scoring.scorer import Total

POINT = Lane(0, 0.0)  # the unperturbed one

Forward = Callable[[Ascent, Sequence[Lane]], list[Total]]


@dataclass(frozen=True, eq=False)
class BlockForwards:
    """Divides lanes into forwards.

    Args:
        layers: of the decoder, from below.
        start: says which layer the block of a direction begins at, by its key.
        pairing: of a model in half precision. There the unperturbed point is part of every forward, so that all lanes
            share its rounding, and the losses of a later forward count as their differences from it.
    """

    layers: Sequence[nn.Module]
    start: Callable[[int], int]
    pairing: Pairing | None = None

    def totals(self, lanes: Sequence[Lane], batch: Batch, most_tokens: int, forward: Forward) -> list[Total]:
        """Return the totals of some lanes.

        Args:
            lanes: of one point.
            batch: their examples [B, T].
            most_tokens: of a forward of several lanes, padding included.
            forward: computes the lanes of an ascent, in their order.
        """
        perturbed = sorted((self.start(lane.key), i) for i, lane in enumerate(lanes) if lane.scale)
        states = States(frozenset(start for start, _ in perturbed))
        most = max(2, most_tokens // batch.labels.numel())
        found: dict[int, Total] = {}
        base: Total | None = None
        for group in self._groups(perturbed, most):
            along = base is None or self.pairing is not None
            joins = [start for start, _ in group]
            if along:
                joins.insert(0, BEFORE if base is None else joins[0])
            own = [POINT] * along + [lanes[i] for _, i in group]
            totals = forward(Ascent(self.layers, joins, len(batch.labels), states, self.pairing), own)
            here = totals.pop(0) if along else None
            base = base or here
            for (_, i), total in zip(group, totals, strict=True):
                found[i] = total if here is None or base is None else _moved(total, base.value - here.value)
        assert base is not None
        return [found.get(i, base) for i in range(len(lanes))]

    def _groups(self, perturbed: list[tuple[int, int]], most: int) -> Iterator[list[tuple[int, int]]]:
        """Yield the lanes (start, position) of each forward; the first one has the point besides, in half all do."""
        done, room = 0, most - 1
        while not done or done < len(perturbed):
            yield perturbed[done : done + room]
            done += room
            room = most - (self.pairing is not None)


def _moved(total: Total, by: float) -> Total:
    return Total(total.value + by, total.number)
