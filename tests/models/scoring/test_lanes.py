"""Lanes against peft's own forward, one point after the other."""

from typing import Any

import pytest
import torch
from torch import Tensor

from fedmezo.models.flat import FlatParameters
from fedmezo.models.scoring import LaneScorer, Scorer, lanes, make_scorer
from fedmezo.zeroth_order.directions import direction
from tests.models.tiny import FAMILIES, SMALL, Tuned, bits, make_batch, places, tiny_adapter, tiny_lora, tuned

MIXED = ((3, 5), (1, 9), (6, 2))
LONG = ((200, 100), (20, 30), (150, 40))


def points_around(lora: Tuned, pairs: int, mu: float = 0.005) -> Tensor:
    """Return theta + mu z and theta - mu z of several directions, theta with factors of standard deviation 0.05."""
    theta = 0.05 * direction(3, 0, lora.parameters.size)
    steps = torch.stack([mu * direction(20 + pair, 0, lora.parameters.size) for pair in range(pairs)])
    return torch.cat([theta + steps, theta - steps])


@pytest.mark.parametrize("rows", [MIXED, LONG], ids=["short", "long"])
@pytest.mark.parametrize("pairs", [0.5, 1, 3], ids=["1 lane", "2 lanes", "6 lanes"])
@pytest.mark.parametrize("family", FAMILIES)
def test_lanes_are_pefts_own_losses(family: str, pairs: float, rows: tuple[tuple[int, int], ...]) -> None:
    lora, batch = tiny_adapter("lora", family=family), make_batch(*rows)
    points = points_around(lora, max(1, int(pairs)))[: int(2 * pairs)]
    scorer = LaneScorer(lora.model, lora.parameters)
    found = scorer.losses(points, batch, antithetic=pairs >= 1)
    wanted = Scorer(lora.model, lora.parameters).losses(points, batch)
    assert found == pytest.approx(wanted, abs=1e-5)
    half = len(points) // 2
    for i in range(half):
        g, exact = ((losses[i] - losses[half + i]) / 0.01 for losses in (found, wanted))
        assert g == pytest.approx(exact, rel=0.01, abs=2e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"r": 2, "lora_alpha": 32},
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2}},
        {"target_modules": "all-linear"},
    ],
    ids=str,
)
def test_ranks_scalings_and_places_are_those_of_the_layers(arguments: dict[str, Any]) -> None:
    lora, batch = tiny_lora(**arguments), make_batch(*MIXED)
    points = points_around(lora, 2)
    found = LaneScorer(lora.model, lora.parameters).losses(points, batch, antithetic=True)
    assert found == pytest.approx(Scorer(lora.model, lora.parameters).losses(points, batch), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_thousand_losses_leave_no_trace(dtype: torch.dtype) -> None:
    lora, batch = tiny_lora(dtype), make_batch((2, 3))
    scorer = LaneScorer(lora.model, lora.parameters)
    before, where = bits(lora.model), places(lora.model)
    points = points_around(lora, 10)
    for _ in range(50):
        scorer.losses(points, batch, antithetic=True)
    assert bits(lora.model) == before and places(lora.model) == where
    assert not any("forward" in vars(module) for module in lora.model.modules())


def test_an_error_inside_leaves_no_trace() -> None:
    lora, batch = tiny_lora(), make_batch((2, 3))

    def broken(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        raise RuntimeError("the criterion fails")

    scorer = LaneScorer(lora.model, lora.parameters, broken)
    before = bits(lora.model)
    with pytest.raises(RuntimeError, match="the criterion fails"):
        scorer.losses(points_around(lora, 1), batch, antithetic=True)
    assert bits(lora.model) == before and not any("forward" in vars(module) for module in lora.model.modules())


def test_the_groups_of_a_forward_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """And both signs of a direction are in the same one, as long as two lanes fit."""
    lora, batch = tiny_lora(), make_batch(*MIXED)
    scorer, points = LaneScorer(lora.model, lora.parameters), points_around(lora, 3)
    whole = scorer.losses(points, batch, antithetic=True)
    for most in (1, 60, 130):
        monkeypatch.setattr(lanes, "MOST_TOKENS", most)
        assert scorer.losses(points, batch, antithetic=True) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("method", sorted(SMALL))
def test_the_scorer_is_chosen_by_the_adapter(method: str) -> None:
    adapted = tiny_adapter(method)
    assert isinstance(make_scorer(adapted.model, adapted.parameters), LaneScorer) is (method == "lora")


@pytest.mark.parametrize(
    "arguments", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"target_modules": ["embed_tokens"]}]
)
def test_what_is_not_plain_lora_is_swapped(arguments: dict[str, Any]) -> None:
    adapted = tiny_lora(**arguments)
    scorer = make_scorer(adapted.model, adapted.parameters)
    assert type(scorer) is Scorer
    assert lanes.obstacle(adapted.model, adapted.parameters)


def test_all_parameters_are_swapped() -> None:
    adapted = tuned(tiny_lora().model.get_base_model().requires_grad_(True))
    assert isinstance(adapted.parameters, FlatParameters)
    assert type(make_scorer(adapted.model, adapted.parameters)) is Scorer
