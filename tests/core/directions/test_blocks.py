"""Directions that are inside a block, and which one that is."""

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.core.directions import direction
from fedmezo.core.directions.blocks import BlockOrder, block_of, in_block
from fedmezo.core.directions.scaled import Directions, Part

PARTS = (Part(0, 40, 1.0, 1), Part(40, 90, 0.5, 0), Part(90, 200, 1.0, 1), Part(200, 260, 2.0, 2))
SIZE, BLOCKS = 260, 3


@given(st.integers(0, 2**63 - 1), st.integers(1, 1000), st.data())
def test_a_key_says_its_block(key: int, blocks: int, data: st.DataObject) -> None:
    block = data.draw(st.integers(0, blocks - 1))
    found = in_block(key, block, blocks)
    assert 0 <= found < 2**63 and block_of(found, blocks) == block
    assert abs(found - key) < 2 * blocks or key >= 2**63 - blocks
    assert in_block(key, 0, 1) == key


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_direction_is_that_of_its_key_in_its_block_and_zero_elsewhere(block: int) -> None:
    directions, key = Directions("gaussian", PARTS, BLOCKS), in_block(12345, block, BLOCKS)
    found, whole = directions.values(key, 0, SIZE), direction(key, 0, SIZE)
    for part in PARTS:
        wanted = whole[part.start : part.stop] * (part.scale if part.block == block else 0.0)
        assert torch.equal(found[part.start : part.stop], wanted)
    assert torch.equal(directions.values(key, 30, 230), found[30:230])


@pytest.mark.parametrize("factor", [None, 0.75])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_a_sum_has_for_each_part_the_directions_of_its_block(dtype: torch.dtype, factor: float | None) -> None:
    keys = [in_block(100 + i, i % BLOCKS, BLOCKS) for i in range(7)]
    weights = [0.5 * (i - 3) for i in range(7)]
    source = direction(7, 0, SIZE).to(dtype)
    found = torch.empty_like(source)
    Directions("gaussian", PARTS, BLOCKS).add(found, keys, weights, source=source, factor=factor)
    for part in PARTS:
        own = [i for i, key in enumerate(keys) if block_of(key, BLOCKS) == part.block]
        one = Directions("gaussian", (Part(0, SIZE, part.scale),))
        wanted = torch.empty_like(source)
        one.add(wanted, [keys[i] for i in own], [weights[i] for i in own], source=source, factor=factor)
        assert torch.equal(found[part.start : part.stop], wanted[part.start : part.stop])


def test_a_part_of_no_direction_stays() -> None:
    total = direction(7, 0, SIZE)
    before = total.clone()
    Directions("gaussian", PARTS, BLOCKS).add(total, [in_block(5, 2, BLOCKS)], [1.0])
    assert torch.equal(total[:200], before[:200]) and not torch.equal(total[200:], before[200:])


def test_blocks_take_turns() -> None:
    order = BlockOrder(5, (1, 2, 4))
    assert [order.block(99, turn) for turn in range(7)] == [1, 2, 4, 1, 2, 4, 1]


def test_drawn_blocks_come_equally_often() -> None:
    order = BlockOrder(4, (0, 1, 3), drawn=True)
    counts = Counter(order.block(key, 0) for key in itertools.islice(itertools.count(2**62, 2**40 + 12345), 3000))
    assert sorted(counts) == [0, 1, 3]
    assert all(abs(count - 1000) < 150 for count in counts.values())
