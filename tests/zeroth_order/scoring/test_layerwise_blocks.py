"""All parameters, each lane perturbed in its block only, against the same points copied into the model."""

from typing import Any

import pytest
import torch

from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.scoring import CopyInScorer, LayerwiseBlocksScorer, layerwise_blocks, make_scorer
from tests.models.tiny import FAMILIES, Tuned, bits, make_batch, places
from tests.zeroth_order.scoring.blocks import blocks_of, keys
from tests.zeroth_order.scoring.test_layerwise import halves, whole

MIXED = ((3, 5), (1, 9), (6, 2))
MU = 0.005


def both(model: Tuned, estimator: Estimator, queries: int, rows: Any = MIXED) -> tuple[list[float], list[float]]:
    """Return the losses of lanes in blocks, and those of the same points copied in."""
    blocks, directions = blocks_of(model)
    batch, point = make_batch(*rows), model.parameters.buffer
    lanes = estimator.lanes(keys(queries, directions.blocks), MU)
    found = LayerwiseBlocksScorer(model.model, model.parameters, directions, blocks=blocks).losses(point, lanes, batch)
    return found, CopyInScorer(model.model, model.parameters, directions).losses(point, lanes, batch)


@pytest.mark.covering(2)
@pytest.mark.parametrize("rows", [MIXED, ((3, 5),)], ids=["3 examples", "1 example"])
@pytest.mark.parametrize("queries", [1, 4, 9])
@pytest.mark.parametrize("estimator", [OneSided(), CentralDifference()], ids=["one-sided", "central"])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_points(family: str, estimator: Estimator, queries: int, rows: Any) -> None:
    found, wanted = both(whole(family), estimator, queries, rows)
    assert found == pytest.approx(wanted, abs=2e-6)
    for query, exact in zip(estimator.projections(found, MU), estimator.projections(wanted, MU), strict=True):
        assert query.gradient == pytest.approx(exact.gradient, rel=0.01, abs=4e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_keeps_the_signal(family: str) -> None:
    half, exact = halves(family)
    found = torch.tensor([query.gradient for query in gradients(half, LayerwiseBlocksScorer)])
    wanted = torch.tensor([query.gradient for query in gradients(exact, CopyInScorer)])
    assert torch.corrcoef(torch.stack([found, wanted]))[0, 1] > 0.95
    assert float(found @ wanted / (wanted @ wanted)) == pytest.approx(1.0, abs=0.05)
    assert float((found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()) < 0.25


def gradients(model: Tuned, kind: Any) -> list[Any]:
    blocks, directions = blocks_of(model)
    more = {"blocks": blocks} if kind is LayerwiseBlocksScorer else {}
    scorer = kind(model.model, model.parameters, directions, **more)
    lanes = OneSided().lanes(keys(30, directions.blocks), MU)
    return OneSided().projections(scorer.losses(model.parameters.buffer, lanes, make_batch(*MIXED)), MU)


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("most_tokens", [1, 60, 10_000])
def test_any_division_into_forwards(half: bool, most_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = halves()[0] if half else whole(), make_batch(*MIXED)
    blocks, directions = blocks_of(model)
    lanes = OneSided().lanes(keys(7, directions.blocks), MU)
    scorer = LayerwiseBlocksScorer(model.model, model.parameters, directions, blocks=blocks)
    wanted = scorer.losses(model.parameters.buffer, lanes, batch)
    monkeypatch.setattr(layerwise_blocks, "MOST_TOKENS", most_tokens)
    found = scorer.losses(model.parameters.buffer, lanes, batch)
    assert found == pytest.approx(wanted, abs=1e-4 if half else 1e-6)


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
def test_losses_leave_no_trace(half: bool) -> None:
    model, batch = halves()[0] if half else whole(), make_batch((2, 3), (4, 4))
    blocks, directions = blocks_of(model)
    scorer = LayerwiseBlocksScorer(model.model, model.parameters, directions, blocks=blocks)
    before, where = bits(model.model), places(model.model)
    scorer.losses(model.parameters.buffer, OneSided().lanes(keys(5, directions.blocks), MU), batch)
    assert bits(model.model) == before and places(model.model) == where
    assert not any("forward" in vars(module) for module in model.model.modules())


def test_all_parameters_are_scored_in_blocks() -> None:
    model = whole()
    blocks, directions = blocks_of(model)
    made = make_scorer(model.model, model.parameters, directions, blocks=blocks, movable=True)
    assert type(made) is LayerwiseBlocksScorer
