"""Lanes that begin at their block, against the same points copied into the model."""

from typing import Any

import pytest
import torch

from fedmezo.core.directions import direction
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.blocks import divide_into_blocks
from fedmezo.models.half_precision import with_half_products
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.scoring import CopyInScorer, LoraBlocksScorer, make_scorer
from fedmezo.zeroth_order.scoring.trunk import make_trunk
from tests.example_counts import examples
from tests.models.tiny import FAMILIES, Tuned, bits, make_batch, places, tiny_adapter, tiny_base, tiny_lora, tuned
from tests.zeroth_order.scoring.blocks import blocks_of, keys

MIXED = ((3, 5), (1, 9), (6, 2))
LONG = ((200, 100), (20, 30), (150, 40))
MU = 0.005


def both(lora: Tuned, estimator: Estimator, queries: int, rows: Any = MIXED) -> tuple[list[float], list[float]]:
    """Return the losses of lanes in blocks, and those of the same points copied in."""
    blocks, directions = blocks_of(lora)
    theta, batch = 0.05 * direction(3, 0, lora.parameters.size), make_batch(*rows)
    lanes = estimator.lanes(keys(queries, directions.blocks), MU)
    found = LoraBlocksScorer(lora.model, lora.parameters, directions, blocks=blocks).losses(theta, lanes, batch)
    return found, CopyInScorer(lora.model, lora.parameters, directions).losses(theta, lanes, batch)


@pytest.mark.covering(1)
@pytest.mark.parametrize("rows", [MIXED, LONG], ids=["short", "long"])
@pytest.mark.parametrize("queries", [1, 2, 5])
@pytest.mark.parametrize("estimator", [OneSided(), CentralDifference()], ids=["one-sided", "central"])
@pytest.mark.parametrize("family", FAMILIES)
def test_lanes_are_pefts_own_losses(family: str, estimator: Estimator, queries: int, rows: Any) -> None:
    found, wanted = both(tiny_adapter("lora", family=family), estimator, queries, rows)
    assert found == pytest.approx(wanted, abs=1e-5)
    for query, exact in zip(estimator.projections(found, MU), estimator.projections(wanted, MU), strict=True):
        assert query.gradient == pytest.approx(exact.gradient, rel=0.01, abs=4e-4)


@pytest.mark.parametrize(
    "arguments", [{"target_modules": "all-linear"}, {"target_modules": ["q_proj", "lm_head"]}], ids=str
)
def test_targetsof_factors(arguments: dict[str, Any]) -> None:
    found, wanted = both(tiny_lora(**arguments), OneSided(), 6)
    assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("most_tokens", [1, 60, 10_000])
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
def test_any_division_into_forwards(half: bool, most_tokens: int) -> None:
    lora, batch = half_lora() if half else tiny_lora(), make_batch(*MIXED)
    blocks, directions = blocks_of(lora)
    theta = 0.05 * direction(3, 0, lora.parameters.size)
    lanes = OneSided().lanes(keys(7, directions.blocks), MU)
    scorer = LoraBlocksScorer(lora.model, lora.parameters, directions, blocks=blocks)
    whole = scorer.losses(theta, lanes, batch)
    scorer.most_tokens = most_tokens
    found = scorer.losses(theta, lanes, batch)
    assert found == pytest.approx(whole, abs=1e-4 if half else 1e-6)
    for a, b in zip(found[1:], whole[1:], strict=True):
        assert (a - found[0]) / MU == pytest.approx((b - whole[0]) / MU, rel=0.05 if half else 0.01, abs=1e-3)


def half_lora(family: str = "tiny-llama") -> Tuned:
    base = with_half_products(tiny_base(torch.bfloat16, family))
    return tuned(attach_adapter(base, {"adapter_method": "lora", "r": 4}))


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_keeps_the_signal(family: str) -> None:
    """Slope and uncentred error against fp32 with the same weights, of which a correlation says nothing."""
    half = half_lora(family)
    exact = tuned(attach_adapter(tiny_base(torch.bfloat16, family).float(), {"adapter_method": "lora", "r": 4}))
    found = torch.tensor([query.gradient for query in gradients(half, LoraBlocksScorer)])
    wanted = torch.tensor([query.gradient for query in gradients(exact, CopyInScorer)])
    assert torch.corrcoef(torch.stack([found, wanted]))[0, 1] > 0.95
    assert float(found @ wanted / (wanted @ wanted)) == pytest.approx(1.0, abs=0.05)
    assert float((found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()) < 0.25


def gradients(lora: Tuned, kind: Any) -> list[Any]:
    blocks, directions = blocks_of(lora)
    more = {"blocks": blocks} if kind is LoraBlocksScorer else {}
    theta, chosen = 0.05 * direction(3, 0, lora.parameters.size), keys(40, directions.blocks)
    scorer = kind(lora.model, lora.parameters, directions, **more)
    losses = scorer.losses(theta, OneSided().lanes(chosen, MU), make_batch(*MIXED))
    return OneSided().projections(losses, MU)


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
def test_many_losses_leave_no_trace(half: bool) -> None:
    lora, batch = half_lora() if half else tiny_lora(), make_batch((2, 3), (4, 4))
    blocks, directions = blocks_of(lora)
    scorer = LoraBlocksScorer(lora.model, lora.parameters, directions, blocks=blocks)
    before, where = bits(lora.model), places(lora.model)
    for seed in range(examples(20, least=5)):
        point = 0.05 * direction(seed, 0, lora.parameters.size)
        scorer.losses(point, OneSided().lanes(keys(5, directions.blocks), MU), batch)
    assert bits(lora.model) == before and places(lora.model) == where
    assert not any({"forward", "ascent", "own"} & vars(module).keys() for module in lora.model.modules())


def test_frozen_layers_that_are_kept_are_not_computed_again() -> None:
    lora = tiny_lora(layers_to_transform=[1])
    blocks = divide_into_blocks(lora.model, lora.parameters, 1)
    assert blocks.starts == (1,)
    batch, theta = make_batch(*MIXED), 0.05 * direction(3, 0, lora.parameters.size)
    lanes = OneSided().lanes([4, 5, 6], MU)
    wanted = CopyInScorer(lora.model, lora.parameters).losses(theta, lanes, batch)
    found = LoraBlocksScorer(lora.model, lora.parameters, trunk=make_trunk(lora.model), blocks=blocks)
    assert found.losses(theta, lanes, batch) == pytest.approx(wanted, abs=1e-5)


def test_plain_lora_is_scored_so() -> None:
    lora = tiny_lora()
    blocks, directions = blocks_of(lora)
    assert type(make_scorer(lora.model, lora.parameters, directions, blocks=blocks)) is LoraBlocksScorer
