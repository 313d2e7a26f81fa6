"""The five strategies against rates computed by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.federation.strategies import History, Observation, registry

BASE, WIDTH, ROUNDS = 1e-5, 5e-6, 8
NAMES = sorted(registry.names())


def signal(round_index: int, client: int) -> float:
    """A made-up train loss (and update distance) that orders clients differently in every round."""
    return 1.0 + (7 * round_index + 3 * client + round_index * client) % 11 / 10


def history(
    next_round: int, clients: int, skip: Sequence[tuple[int, int]] = (), nan: Sequence[tuple[int, int]] = ()
) -> History:
    rows = [
        Observation(t, i, math.nan if (t, i) in nan else signal(t, i), 10, signal(t, i) * 2)
        for t in range(next_round)
        for i in range(clients)
        if (t, i) not in skip
    ]
    return History(next_round, seed=4, observations=rows)


def by_hand(signals: dict[int, float], clients: int) -> dict[int, float]:
    """lr_i = lr + w d_i / max_j |d_j|, d_i = s_i - mean_j s_j (reference formulas)."""
    if not signals:
        return dict.fromkeys(range(clients), BASE)
    mean = sum(signals.values()) / len(signals)
    distances = {i: s - mean for i, s in signals.items()}
    widest = max(map(abs, distances.values()))
    return {i: BASE + WIDTH * distances[i] / widest if i in distances else BASE for i in range(clients)}


def rates(name: str, past: History, clients: Sequence[int]) -> dict[int, float]:
    return registry[name]().rates(past, clients, BASE, WIDTH)


def close(found: dict[int, float], wanted: dict[int, float]) -> bool:
    return found.keys() == wanted.keys() and all(math.isclose(found[i], wanted[i], rel_tol=1e-12) for i in found)


def test_the_papers_five_are_here() -> None:
    assert {"frozen", "random", "round-wise", "five-round", "model-diff"} <= set(NAMES)


@pytest.mark.parametrize("clients", [3, 5, 7])
@pytest.mark.parametrize("t", range(ROUNDS))
def test_rates_match_hand_computation(clients: int, t: int) -> None:
    past, everyone = history(t, clients), range(clients)
    last = {i: signal(t - 1, i) for i in everyone} if t else {}
    window = {i: sum(signal(u, i) for u in range(t - 5, t)) / 5 for i in everyone} if t >= 5 else {}
    assert rates("frozen", past, everyone) == dict.fromkeys(everyone, BASE)
    assert close(rates("round-wise", past, everyone), by_hand(last, clients))
    assert close(rates("five-round", past, everyone), by_hand(window, clients))
    assert close(rates("model-diff", past, everyone), by_hand({i: 2 * s for i, s in last.items()}, clients))


def test_round_wise_by_numbers() -> None:
    rows = [Observation(0, client, loss, 1) for client, loss in enumerate((1.0, 2.0, 6.0))]
    # mean 3, distances -2, -1, 3: rates 1e-5 + 5e-6 * (-2/3, -1/3, 1)
    found = rates("round-wise", History(1, 0, rows), range(3))
    assert np.allclose(list(found.values()), [1e-5 - 1e-5 / 3, 1e-5 - 5e-6 / 3, 1.5e-5], rtol=1e-12, atol=0)


def test_random_draws_anew_within_the_interval() -> None:
    drawn = [rates("random", history(t, 7), range(7)) for t in range(ROUNDS)]
    values = [rate for row in drawn for rate in row.values()]
    assert len(set(values)) == 7 * ROUNDS
    assert BASE - WIDTH <= min(values) < BASE - 0.8 * WIDTH
    assert BASE + 0.8 * WIDTH < max(values) <= BASE + WIDTH
    assert drawn[3] == rates("random", history(3, 7), range(7))
    assert rates("random", History(3, seed=5), range(7)) != drawn[3]
    assert rates("random", History(3, seed=4), [5]) == {5: drawn[3][5]}


@pytest.mark.parametrize("name", ["round-wise", "five-round", "model-diff"])
@pytest.mark.parametrize("loss", [0.1, 1 / 3, 2.5])
def test_equal_signals_give_the_base_rate(name: str, loss: float) -> None:
    rows = [Observation(t, i, loss, 10, loss) for t in range(6) for i in range(3)]
    assert rates(name, History(6, 0, rows), range(3)) == dict.fromkeys(range(3), BASE)


def test_a_client_without_a_finite_loss_gets_the_base_rate() -> None:
    found = rates("round-wise", history(4, 5, nan=[(3, 1)]), range(5))
    assert close(found, by_hand({i: signal(3, i) for i in (0, 2, 3, 4)}, 5))
    assert found[1] == BASE


def test_five_round_skips_single_nan_losses() -> None:
    found = rates("five-round", history(6, 3, nan=[(2, 1)]), range(3))
    kept = {i: [signal(u, i) for u in range(1, 6) if (u, i) != (2, 1)] for i in range(3)}
    assert close(found, by_hand({i: sum(losses) / len(losses) for i, losses in kept.items()}, 3))


def test_partial_participation() -> None:
    past = history(3, 5, skip=[(2, 0), (2, 3)])
    found = rates("round-wise", past, [0, 1, 2])
    wanted = by_hand({i: signal(2, i) for i in (1, 2, 4)}, 5)
    assert close(found, {i: wanted[i] for i in (0, 1, 2)})


losses = st.one_of(st.just(math.nan), st.floats(0, 1e6))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), clients=st.integers(1, 9), rounds=st.integers(0, 12))
@settings(max_examples=30, deadline=None)
def test_contract_of_every_strategy(name: str, data: st.DataObject, clients: int, rounds: int) -> None:
    """Any history gives each asked client a rate within base +- half width, and the same one again."""
    rows = [
        Observation(t, i, loss, 1, None if math.isnan(loss) else loss)
        for t in range(rounds)
        for i in range(clients)
        if data.draw(st.booleans())
        for loss in [data.draw(losses)]
    ]
    asked = sorted(data.draw(st.sets(st.integers(0, clients - 1), min_size=1)))
    past = History(rounds, 1, rows, data.draw(st.integers(rounds + 1, 2 * rounds + 1)))
    found = rates(name, past, asked)
    assert list(found) == asked
    assert all(BASE - WIDTH * (1 + 1e-12) <= rate <= BASE + WIDTH * (1 + 1e-12) for rate in found.values())
    assert found == rates(name, past, asked)
