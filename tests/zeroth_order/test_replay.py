"""The arithmetic of a step, against numpy and against its own prefixes."""

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.directions import direction
from fedmezo.core.directions.blocks import BlockOrder, block_of, in_block
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.core.directions.torch_kernel import CHUNK
from fedmezo.zeroth_order.replay import DirectionKeys, MovingPrefix, Prefix, Replay, Runs, Steps, terms
from tests.numpy_replay import halved, widened

SIZE = 700
RUNS: Runs = ((0, 300, True), (300, 420, False), (420, SIZE, True))


def steps_of(client: int, horizon: int, queries: int, rate: float, weight: float = 1.0) -> Steps:
    gradients = np.random.default_rng(client).normal(size=(horizon, queries)).astype(np.float32)
    keys = [[1000 * client + 10 * step + query for query in range(queries)] for step in range(horizon)]
    return Steps(keys, gradients, rate, weight)


def numpy_replay(start: np.ndarray, sequences: list[Steps], weight_decay: float) -> np.ndarray:
    """The documented formulas, in numpy, a coefficient and an element at a time where it matters."""
    decays = np.zeros(SIZE, dtype=bool)
    for begin, end, decaying in RUNS:
        decays[begin:end] = decaying
    total, share = np.zeros(SIZE, dtype=np.float32), 0.0
    for steps in sequences:
        horizon, queries = steps.gradients.shape
        keep = 1.0 - steps.learning_rate * weight_decay
        share += steps.weight * keep**horizon
        for step in range(horizon):
            for query in range(queries):
                z = direction(steps.keys[step][query], 0, SIZE).numpy()
                c = -(steps.weight * steps.learning_rate * float(steps.gradients[step, query])) / queries
                late = np.where(decays, np.float32(c * keep ** (horizon - 1 - step)), np.float32(c))
                total = total + late.astype(np.float32) * z
    factor = np.where(decays, np.float32(share), np.float32(1.0)).astype(np.float32)
    return np.asarray(start * factor + total if weight_decay else start + total)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("queries", [1, 3])
def test_replay_equals_numpy_to_the_bit(weight_decay: float, queries: int) -> None:
    start = direction(99, 0, SIZE)
    sequences = [
        steps_of(client, 5 + client, queries, 0.01 * (client + 1), share)
        for client, share in enumerate((0.5, 0.25, 0.25))
    ]
    found = Replay(RUNS, weight_decay, Directions("gaussian"))(start, sequences)
    assert found.numpy().tobytes() == numpy_replay(start.numpy(), sequences, weight_decay).tobytes()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_half_precision_replay_is_rounded_once(weight_decay: float) -> None:
    start = direction(99, 0, SIZE).bfloat16()
    sequences = [steps_of(client, 5, 2, 1e-3, 0.5) for client in range(2)]
    wanted = halved(numpy_replay(start.float().numpy(), sequences, weight_decay), 44)
    replay = Replay(RUNS, weight_decay, Directions("gaussian"))
    found = replay(start, sequences, rounding=44)
    assert found.view(torch.int16).numpy().tobytes() == wanted.tobytes()
    assert torch.equal(replay(start, sequences, start, rounding=44), found) and torch.equal(start, found)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_client_in_half_precision_replays_each_step_by_itself(weight_decay: float) -> None:
    replay, whole = Replay(RUNS, weight_decay, Directions("gaussian")), steps_of(3, 20, 2, 1e-2)
    point = direction(3, 0, SIZE).bfloat16()
    wanted = point.float().numpy()
    moving = MovingPrefix(replay, point, whole.keys, whole.learning_rate, rounding=lambda step: 500 + step)
    for step in range(20):
        moving.append(whole.gradients[step].tolist())
        one = Steps(whole.keys[step : step + 1], whole.gradients[step : step + 1], whole.learning_rate)
        bits = halved(numpy_replay(wanted, [one], weight_decay), 500 + step)
        wanted = widened(bits)
        assert moving.point is point and point.view(torch.int16).numpy().tobytes() == bits.tobytes()


def test_small_steps_are_kept_on_average() -> None:
    """500 steps of a hundredth of what separates two bf16: rounded to nearest, nothing would move."""
    count, start = 1 << 16, torch.ones(1 << 16).bfloat16()
    replay = Replay(((0, count, False),), 0.0, Directions("rademacher"))
    z, moved = direction(7, 0, count, "rademacher"), start.clone()
    step = Steps([[7]], np.array([[-0.01]], dtype=np.float32), 2.0**-7)
    for number in range(500):
        replay(moved, [step], moved, rounding=number)
    found = float(((moved.double() - 1.0) * z).mean())
    assert found == pytest.approx(500 * 0.01 * 2.0**-7, rel=0.02)
    assert torch.equal(replay(start, [step]), start)


@given(weight_decay=st.sampled_from([0.0, 0.05]), horizon=st.integers(1, 8), queries=st.integers(1, 2))
@settings(max_examples=20, deadline=None)
def test_a_clients_point_is_the_replay_of_its_prefix(weight_decay: float, horizon: int, queries: int) -> None:
    replay, start = Replay(RUNS, weight_decay, Directions("gaussian")), direction(3, 0, SIZE)
    whole = steps_of(1, horizon, queries, 0.02)
    prefix = Prefix(replay, start, whole.keys, whole.learning_rate)
    assert torch.equal(prefix.point, start)
    for step in range(horizon):
        prefix.append(whole.gradients[step].tolist())
        past = Steps(whole.keys[: step + 1], whole.gradients[: step + 1], whole.learning_rate)
        assert torch.equal(prefix.point, replay(start, [past]))
    assert torch.equal(start, direction(3, 0, SIZE))


def test_without_scalars_nothing_moves() -> None:
    start = direction(3, 0, SIZE)
    zero = Steps([[5]], np.zeros((1, 1), dtype=np.float32), 0.1)
    assert torch.equal(Replay(RUNS, 0.0, Directions("gaussian"))(start, [zero]), start)
    assert torch.equal(Replay(RUNS, 0.0, Directions("gaussian"))(start, []), start)


def test_weight_decay_is_that_of_sgd() -> None:
    """theta <- theta - rate (g z + wd theta), step by step in fp64, on decaying and other parameters."""
    rate, decay, whole = 0.1, 0.2, steps_of(2, 6, 1, 0.1)
    wanted = direction(8, 0, SIZE).double()
    for step in range(6):
        z = direction(whole.keys[step][0], 0, SIZE).double()
        pull = torch.zeros_like(wanted)
        for begin, end, decaying in RUNS:
            if decaying:
                pull[begin:end] = decay * wanted[begin:end]
        wanted = wanted - rate * (float(whole.gradients[step, 0]) * z + pull)
    found = Replay(RUNS, decay, Directions("gaussian"))(direction(8, 0, SIZE), [whole])
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-6)


def test_coefficients_are_fp32_values_in_order() -> None:
    whole = steps_of(4, 3, 2, 1e-3)
    listed = list(terms(whole, 0.3))
    assert [term.key for term in listed] == [key for step in whole.keys for key in step]
    assert all(np.float32(term.plain) == term.plain and np.float32(term.decaying) == term.decaying for term in listed)
    assert listed[-1].plain == listed[-1].decaying


def test_long_vectors_are_chunked_without_a_trace() -> None:
    size = CHUNK + 1000
    replay = Replay(((0, CHUNK - 7, True), (CHUNK - 7, size, False)), 0.5, Directions("rademacher"))
    steps = Steps([[1], [2]], np.array([[0.5], [-0.25]], dtype=np.float32), 0.1)
    found = replay(torch.ones(size), [steps])
    keep = 1.0 - 0.1 * 0.5
    first, second = (direction(key, 0, size, "rademacher").double() for key in (1, 2))
    decaying = keep**2 - 0.1 * 0.5 * keep * first + 0.1 * 0.25 * second
    plain = 1 - 0.1 * 0.5 * first + 0.1 * 0.25 * second
    torch.testing.assert_close(found[: CHUNK - 7].double(), decaying[: CHUNK - 7], rtol=0, atol=1e-6)
    torch.testing.assert_close(found[CHUNK - 7 :].double(), plain[CHUNK - 7 :], rtol=0, atol=1e-6)


def test_a_step_in_blocks_sums_the_estimates_of_its_blocks() -> None:
    """Two directions in each of three blocks: their mean for each block, a parameter touched by those of its own."""
    parts = (Part(0, 250, 1.0, 0), Part(250, 500, 1.0, 2), Part(500, SIZE, 1.0, 1))
    replay = Replay(RUNS, 0.0, Directions("gaussian", parts, 3), blocks=3)
    gradients, rate = np.arange(1, 7, dtype=np.float32)[None] / 8, 0.25
    keys = [in_block(1000 + 50 * query, query % 3, 3) for query in range(6)]
    found = replay(torch.zeros(SIZE), [Steps([keys], gradients, rate)])
    for part in parts:
        wanted = torch.zeros(SIZE)
        for query in (query for query in range(6) if query % 3 == part.block):
            wanted += direction(keys[query], 0, SIZE) * float(np.float32(-rate * float(gradients[0, query]) * 3 / 6))
        assert torch.equal(found[part.start : part.stop], wanted[part.start : part.stop])


@pytest.mark.parametrize("shared", [False, True])
def test_directions_take_turns_among_blocks(shared: bool) -> None:
    """Over queries, steps, rounds, and clients of directions of their own; the rest of a key stays."""
    plain, found = DirectionKeys(3, 2, shared), DirectionKeys(3, 2, shared, BlockOrder(5, (0, 1, 2, 3, 4)))
    for round_index, client in ((0, 0), (1, 0), (1, 3)):
        keys, whole = (list(chain(*make(round_index, client, 4))) for make in (found, plain))
        first = (round_index * 4) * 2 + (0 if shared else client)
        assert [block_of(key, 5) for key in keys] == [(first + turn) % 5 for turn in range(8)]
        assert [key // 5 for key in keys] == [key // 5 for key in whole]
