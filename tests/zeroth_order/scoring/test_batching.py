"""Which lanes share a forward pass."""

import torch

from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.batching import LaneBatch, LaneIndex, lane_batches
from fedmezo.zeroth_order.scoring.scorer import Request
from tests.models.tiny import ROWS, make_batch

LANES = [Lane(1, 0.2), Lane(1, 0.1), Lane(0, 0.0), Lane(1, -0.1), Lane(2, 0.1), Lane(1, -0.2)]


def found(most_tokens: int, *, always_paired: bool = False, most_units: int = 9) -> list[LaneBatch]:
    request = Request(torch.zeros(4), LANES, make_batch(*ROWS))
    return list(lane_batches([request], most_tokens, always_paired=always_paired, most_units=most_units))


def lanes(lane_batch: LaneBatch) -> list[int]:
    return [index.lane for index in lane_batch.lanes]


def test_lanes_that_mirror_each_other_share_a_forward_wherever_they_stand() -> None:
    single, paired = found(10_000)
    assert (lanes(single), single.paired) == ([2, 4], False)
    assert (lanes(paired), paired.paired) == ([1, 0, 3, 5], True)
    assert paired.lanes[0] == LaneIndex(0, 1)


def test_each_direction_may_have_a_forward_of_its_own() -> None:
    assert [lanes(lane_batch) for lane_batch in found(10_000, most_units=1)] == [[2], [4], [1, 3], [0, 5]]


def test_without_room_for_two_each_lane_is_by_itself_unless_pairs_are_kept() -> None:
    assert [lanes(lane_batch) for lane_batch in found(1)] == [[lane] for lane in range(6)]
    assert [lanes(lane_batch) for lane_batch in found(1, always_paired=True)] == [[2], [4], [1, 3], [0, 5]]
