import torch

from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.evaluation.theory.division import Division, whole

DIVISION = Division(((0, 2, 1), (2, 3, 0), (3, 6, 1), (6, 7, 2)), (-1, 0, 3), 4, BlockOrder(3, (0, 1, 2)))
VALUES = torch.arange(7.0)


def test_sizes_and_sums_are_those_of_blocks() -> None:
    assert DIVISION.sizes == [1, 5, 1]
    assert DIVISION.sums(torch.stack([VALUES, -VALUES])).tolist() == [[2.0, 13.0, 6.0], [-2.0, -13.0, -6.0]]


def test_a_part_is_what_is_in_a_block() -> None:
    assert DIVISION.restricted(VALUES[None], 1).tolist() == [[0.0, 1.0, 3.0, 4.0, 5.0]]


def test_a_vector_apart_adds_up_to_itself() -> None:
    found = DIVISION.apart(VALUES)
    assert found.sum(dim=0).equal(VALUES)
    assert found[2].tolist() == [0.0] * 6 + [6.0]


def test_a_forward_begins_at_the_first_layer_of_a_block() -> None:
    assert [DIVISION.share(block) for block in range(3)] == [1.0, 1.0, 0.25]


def test_one_block_is_everything() -> None:
    assert whole(7).sizes == [7] and whole(7).restricted(VALUES, 0) is VALUES
    assert whole(7).apart(VALUES).equal(VALUES[None])
