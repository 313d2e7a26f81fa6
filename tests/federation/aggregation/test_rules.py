"""Aggregation rules: the contract of every one that is registered, and what each is said to be."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.aggregation import NO_STATE, Rule, State, Updates, registry
from fedmezo.federation.aggregation.folding import Aggregation, ScalarAggregation, WeightAggregation, Weighting
from fedmezo.federation.aggregation.server_momentum import ServerMomentum
from fedmezo.federation.aggregation.trimmed_mean import TrimmedMean
from fedmezo.federation.aggregation.validation import checked_result, checked_state
from fedmezo.federation.messages import Message, Order, Reply, Task
from fedmezo.federation.node import Node
from fedmezo.ledger.snapshots import Snapshots
from tests.federation.engines.alone import Alone

from .test_folding import KEYS, REPLAY, SIZES, START, own_point, results

NAMES = sorted(registry.names())
BOTH = pytest.mark.parametrize("scalars", [True, False], ids=["scalars", "weights"])


@dataclass(frozen=True)
class Given:
    """Updates that are there."""

    start: Tensor
    ends: Sequence[Tensor]
    shares: Sequence[int]

    def weights(self) -> Sequence[int]:
        return self.shares

    def points(self) -> Iterator[Tensor]:
        return iter(self.ends)

    def average(self, *, keep_start: bool = False) -> Tensor:
        total = sum(share * end.double() for share, end in zip(self.shares, self.ends, strict=True))
        return (torch.as_tensor(total) / sum(self.shares)).float()


def folding(rule: Rule, scalars: bool) -> Aggregation:
    weighting = Weighting(SIZES)
    return ScalarAggregation(REPLAY, KEYS, weighting, rule=rule) if scalars else WeightAggregation(weighting, rule=rule)


def moved(rule: Rule, scalars: bool, examples: tuple[int, ...] = (4, 8, 4)) -> tuple[Tensor, State]:
    """Return the parameters and the state after one round from ``START``."""
    aggregation, state = folding(rule, scalars), rule.init(START)
    plan, answers = results(scalars, examples)
    return aggregation.apply(aggregation.aggregate(plan, iter(answers), START, state), START, None, state)


@pytest.mark.parametrize("name", NAMES)
@given(values=st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4), clients=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_equal_updates_give_that_update_in_the_first_round(name: str, values: list[float], clients: int) -> None:
    rule, end = registry[name](), torch.tensor(values)
    start = torch.zeros(4)
    point, _ = rule.apply(Given(start, [end] * clients, [1] * clients), checked_state(rule, start))
    torch.testing.assert_close(point, end, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
@given(order=st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_clients_may_come_in_any_order(name: str, order: list[int]) -> None:
    ends = [torch.randn(7, generator=torch.Generator().manual_seed(client)) for client in range(5)]
    rule, start, weights = registry[name](), torch.zeros(7), [3, 1, 4, 1, 5]
    one, _ = rule.apply(Given(start, ends, weights), rule.init(start))
    shuffled = Given(start, [ends[i] for i in order], [weights[i] for i in order])
    other, _ = rule.apply(shuffled, rule.init(start))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_both_transports_come_to_the_same(name: str) -> None:
    (one, state), (other, there) = moved(registry[name](), True), moved(registry[name](), False)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert state.keys() == there.keys()
    for key in state:
        torch.testing.assert_close(state[key], there[key], rtol=0, atol=1e-6)


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trained_on_nothing_has_no_say(name: str, scalars: bool) -> None:
    point, _ = moved(registry[name](), scalars, (0, 8, 0))
    torch.testing.assert_close(point, own_point(1), rtol=0, atol=1e-6)


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_where_nobody_trained(name: str, scalars: bool) -> None:
    rule = registry[name]()
    before = rule.init(START)
    point, state = moved(rule, scalars, (0, 0, 0))
    assert torch.equal(point, START) and all(torch.equal(state[key], before[key]) for key in before)


@BOTH
@pytest.mark.parametrize("name", NAMES)
def test_the_state_before_is_left_as_it_is_and_what_is_written_to_is_what_is_returned(name: str, scalars: bool) -> None:
    rule, out = registry[name](), START.clone()
    aggregation, state = folding(rule, scalars), rule.init(START)
    copies = {key: value.clone() for key, value in state.items()}
    plan, answers = results(scalars)
    record = aggregation.aggregate(plan, iter(answers), out, state)
    point, _ = aggregation.apply(record, out, out, state)
    assert point is out and torch.equal(point, moved(rule, scalars)[0])
    assert all(torch.equal(state[key], copies[key]) for key in copies)


def test_the_trimmed_mean_leaves_out_the_ends_of_each_coordinate() -> None:
    ends = [torch.tensor([value, -value, 0.0]) for value in (1.0, 2.0, 3.0, 4.0, 1000.0)]
    point, _ = TrimmedMean(share=0.2).apply(Given(torch.zeros(3), ends, [9, 1, 1, 1, 1]), NO_STATE)
    assert point.tolist() == [3.0, -3.0, 0.0]
    all_of_them, _ = TrimmedMean(share=0.19).apply(Given(torch.zeros(3), ends, [1] * 5), NO_STATE)
    assert all_of_them.tolist() == [202.0, -202.0, 0.0]


def test_momentum_goes_on_where_the_clients_stand_still() -> None:
    rule, start = ServerMomentum(beta=0.5, rate=2.0), torch.zeros(2)
    point, state = rule.apply(Given(start, [torch.tensor([1.0, -1.0])], [1]), rule.init(start))
    assert point.tolist() == [2.0, -2.0] and state["momentum"].tolist() == [1.0, -1.0]
    further, state = rule.apply(Given(point, [point], [1]), state)
    assert further.tolist() == [3.0, -3.0] and state["momentum"].tolist() == [0.5, -0.5]


def test_momentum_without_memory_is_fedavg() -> None:
    for scalars in (True, False):
        plain, _ = moved(registry["fedavg"](), scalars)
        torch.testing.assert_close(moved(ServerMomentum(beta=0.0), scalars)[0], plain, rtol=0, atol=1e-6)


class Mine:
    """A rule whose answers are given."""

    stateful = False

    def __init__(self, answer: Callable[[Updates], Any], state: Any = NO_STATE) -> None:
        self.answer, self.state = answer, state

    def init(self, start: Tensor) -> State:
        return self.state  # type: ignore[no-any-return]

    def apply(self, updates: Updates, state: State) -> tuple[Tensor, State]:
        return self.answer(updates)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda updates: updates.start, "apply returned Tensor"),
        (lambda updates: (updates.start[:3], NO_STATE), r"apply returned parameters \[3\]"),
        (lambda updates: (updates.start.long(), NO_STATE), r"of torch.int64"),
        (
            lambda updates: (updates.start, {"v": updates.start}),
            r"apply returned the state {'v': '\[50\] of torch.float32'}",
        ),
        (lambda updates: (updates.start, {"v": 1.0}), "apply returned the state {'v': 'float'}"),
        (lambda updates: (updates.start, None), "apply returned the state {'NoneType'"),
    ],
)
@BOTH
def test_a_wrong_answer_is_told_with_file_and_line(answer: Callable[[Updates], Any], said: str, scalars: bool) -> None:
    with pytest.raises(ConfigurationError, match=rf"test_rules.py:\d+\n +.*{said}.*\n    expected "):
        moved(Mine(answer), scalars)
    rule = registry["fedavg"]()
    assert checked_result(rule, (START, NO_STATE), START, NO_STATE)[0].data_ptr() == START.data_ptr()


@pytest.mark.parametrize("state", [None, {"v": START}, {"v": 3}, [START]])
def test_a_wrong_state_is_told_with_file_and_line(state: Any) -> None:
    rule = Mine(lambda updates: None, state)
    with pytest.raises(ConfigurationError, match=r"test_rules.py:\d+\n    init returned "):
        checked_state(rule, START)


@BOTH
def test_a_rule_may_ask_for_points_weights_and_average_in_any_order_and_again(scalars: bool) -> None:
    def answer(updates: Updates) -> tuple[Tensor, State]:
        first = updates.average(keep_start=True)
        points, weights = list(updates.points()), updates.weights()
        assert len(points) == len(weights) == 3 and torch.equal(updates.average(keep_start=True), first)
        assert torch.equal(points[2], own_point(2)) and [point.dtype for point in points] == [torch.float32] * 3
        return first, NO_STATE

    torch.testing.assert_close(moved(Mine(answer), scalars)[0], moved(registry["fedavg"](), scalars)[0])


class Aliasing:
    """A rule whose state is the parameters themselves, one tensor under two names, and a number; it has a gradient."""

    stateful = True

    def init(self, start: Tensor) -> State:
        return {"anchor": start, "again": start, "rounds": torch.zeros((), dtype=torch.int64)}

    def apply(self, updates: Updates, state: State) -> tuple[Tensor, State]:
        point = updates.average(keep_start=True).requires_grad_(True)
        return point, {"anchor": point, "again": updates.start, "rounds": state["rounds"] + 1}


@BOTH
def test_a_state_is_in_memory_of_its_own_and_goes_into_a_snapshot(scalars: bool, tmp_path: Path) -> None:
    """Parameters that are trained in the model itself change in place: a state must not change with them."""
    rule, aggregation = Aliasing(), folding(Aliasing(), scalars)
    start = START.clone()
    state = checked_state(rule, start)
    plan, answers = results(scalars, (4, 8, 4))
    after, found = aggregation.apply(aggregation.aggregate(plan, iter(answers), start, state), start, start, state)
    assert after is start and not start.requires_grad and not torch.equal(start, START)
    assert torch.equal(state["anchor"], START) and torch.equal(found["again"], START)
    torch.testing.assert_close(found["anchor"], start)
    start.zero_()
    assert found["anchor"].abs().max() > 0 and found["rounds"].item() == 1
    snapshots = Snapshots(tmp_path)
    snapshots.write(1, start, b"chain", found)
    held = snapshots.load(1, len(start))
    assert held is not None and {name: value.tolist() for name, value in held[1].items()} == {
        name: value.tolist() for name, value in found.items()
    }


def test_where_parameters_travel_a_node_needs_no_state_of_the_rule() -> None:
    """A server that was killed comes back with fewer rounds."""
    reply = Reply(Task(3, 0, 0.1, 1), Message(b""), 0.0)
    aggregation = WeightAggregation(Weighting([1]), rule=ServerMomentum())
    node = Node(Alone(lambda task, parameters: reply), b"x" * 16, aggregation, torch.zeros(4))
    for first in (5, 3):
        assert node(Order(b"x" * 16, Task(first, 0, 0.1, 1), first, (), torch.ones(4))) is reply
