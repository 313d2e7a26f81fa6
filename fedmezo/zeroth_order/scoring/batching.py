"""Which lanes share a forward pass.

By default those of one client, so that results do not depend on what else is scored. Lanes of several clients are put
together where their lengths are similar: the shorter ones are padded.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fedmezo.data.batches import IGNORED, Batch
from fedmezo.zeroth_order.estimators import mirrored
from fedmezo.zeroth_order.scoring.scorer import Request

MOST_PADDING = 0.25  # of the tokens of a forward


class LaneIndex(NamedTuple):
    """A lane of a request."""

    request: int
    lane: int


@dataclass(frozen=True)
class LaneBatch:
    """The lanes of one forward; if ``paired``, the second half are the other signs of the first."""

    lanes: list[LaneIndex]
    paired: bool

    def batch(self, requests: Sequence[Request]) -> Batch:
        """Return the batches of the lanes, one after the other, padded to the longest."""
        batches = [requests[index.request].batch for index in self.lanes]
        longest = max(batch.labels.shape[1] for batch in batches)
        return Batch(
            torch.cat([_padded(batch.input_ids, longest, 0) for batch in batches]),
            torch.cat([_padded(batch.attention_mask, longest, 0) for batch in batches]),
            torch.cat([_padded(batch.labels, longest, IGNORED) for batch in batches]),
            np.concatenate([batch.indices for batch in batches]),
        )


class _Unit(NamedTuple):
    """Lanes that stay together: both signs of a direction, or one lane; and the shape of their batch."""

    lanes: list[LaneIndex]
    shape: tuple[int, int]

    def tokens(self, length: int) -> int:
        return len(self.lanes) * self.shape[0] * length


def lane_batches(
    requests: Sequence[Request], most_tokens: int, *, always_paired: bool, most_units: int = sys.maxsize
) -> Iterator[LaneBatch]:
    """Yield the forwards of some requests.

    Args:
        requests: at least one.
        most_tokens: of a forward of several lanes, padding included.
        most_units: directions, or single lanes, of a forward.
        always_paired: both signs of a direction share a forward even if they have more tokens than that.
    """
    units = [
        unit for number, request in enumerate(requests) for unit in _units(number, request, most_tokens, always_paired)
    ]
    group: list[_Unit] = []
    for unit in sorted(units, key=lambda unit: (len(unit.lanes), *unit.shape)):
        if group and not (len(group) < most_units and _fit([*group, unit], most_tokens)):
            yield _lane_batch(group)
            group = []
        group.append(unit)
    yield _lane_batch(group)


def _units(number: int, request: Request, most_tokens: int, always_paired: bool) -> list[_Unit]:
    shape = (request.batch.labels.shape[0], request.batch.labels.shape[1])
    together = mirrored(request.lanes) if always_paired or 2 * shape[0] * shape[1] <= most_tokens else []
    apart = set(range(len(request.lanes))).difference(*together)
    groups = [*together, *((lane,) for lane in sorted(apart))]
    return [_Unit([LaneIndex(number, lane) for lane in group], shape) for group in groups]


def _fit(group: list[_Unit], most_tokens: int) -> bool:
    first, last = group[0], group[-1]  # ascending in length
    length = last.shape[1]
    padded = sum(unit.tokens(length) for unit in group)
    alike = len(first.lanes) == len(last.lanes) and first.shape[0] == last.shape[0]
    return alike and padded <= most_tokens and sum(u.tokens(u.shape[1]) for u in group) >= (1 - MOST_PADDING) * padded


def _lane_batch(group: list[_Unit]) -> LaneBatch:
    paired = len(group[0].lanes) == 2
    return LaneBatch([unit.lanes[sign] for sign in range(1 + paired) for unit in group], paired)


def _padded(values: Tensor, length: int, value: int) -> Tensor:
    return functional.pad(values, (0, length - values.shape[1]), value=value)
