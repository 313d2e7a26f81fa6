"""Any adapter in blocks of layers, against the same points copied into the model."""

from typing import Any

import pytest
import torch

from fedmezo.models.adapters import attach_adapter
from fedmezo.models.half_precision import with_half_products
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.scoring import AdapterBlocksScorer, CopyInScorer, make_scorer
from fedmezo.zeroth_order.scoring.trunk import make_trunk
from tests.models.tiny import FAMILIES, bits, make_batch, places, tiny_adapter, tiny_base, tuned
from tests.zeroth_order.scoring.blocks import blocks_of, keys

MIXED = ((3, 5), (1, 9), (6, 2))
MU = 0.005
ADAPTERS: dict[str, dict[str, Any]] = {
    "ln-tuning": {},
    "ia3": {},
    "lora": {"use_dora": True},
}


@pytest.mark.covering(2)
@pytest.mark.parametrize("estimator", [OneSided(), CentralDifference()], ids=["one-sided", "central"])
@pytest.mark.parametrize("method", ADAPTERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_points(family: str, method: str, estimator: Estimator) -> None:
    model = tiny_adapter(method, family=family, **ADAPTERS[method])
    blocks, directions = blocks_of(model)
    batch, lanes = make_batch(*MIXED), estimator.lanes(keys(6, directions.blocks), MU)
    for point in (model.point, model.parameters.buffer):
        found = AdapterBlocksScorer(model.model, model.parameters, directions, blocks=blocks)
        wanted = CopyInScorer(model.model, model.parameters, directions).losses(point, lanes, batch)
        assert found.losses(point, lanes, batch) == pytest.approx(wanted, abs=1e-5)


def test_losses_leave_no_trace() -> None:
    model = tiny_adapter("ln-tuning")
    blocks, directions = blocks_of(model)
    scorer = AdapterBlocksScorer(model.model, model.parameters, directions, blocks=blocks)
    before, where = bits(model.model), places(model.model)
    scorer.losses(model.point, OneSided().lanes(keys(5, directions.blocks), MU), make_batch(*MIXED))
    assert bits(model.model) == before and places(model.model) == where
    assert not any("forward" in vars(module) for module in model.model.modules())


def test_frozen_layers_that_are_kept_are_not_computed_again() -> None:
    """The norms of the last layer, and the one after it."""
    model = tiny_adapter("ln-tuning", target_modules=["1.input_layernorm", "model.norm"])
    blocks, directions = blocks_of(model, 1)
    assert blocks.starts == (1, 2)
    lanes, batch = OneSided().lanes(keys(4, 2), MU), make_batch(*MIXED)
    wanted = CopyInScorer(model.model, model.parameters, directions).losses(model.point, lanes, batch)
    scorer = AdapterBlocksScorer(
        model.model, model.parameters, directions, trunk=make_trunk(model.model), blocks=blocks
    )
    assert scorer.losses(model.point, lanes, batch) == pytest.approx(wanted, abs=1e-5)


def test_what_cannot_be_scored_in_blocks_is_told(caplog: pytest.LogCaptureFixture) -> None:
    model = tiny_adapter("ln-tuning")
    blocks, directions = blocks_of(model)
    assert type(make_scorer(model.model, model.parameters, directions, blocks=blocks)) is AdapterBlocksScorer
    half = tuned(attach_adapter(with_half_products(tiny_base(torch.bfloat16)), {"adapter_method": "ia3"}), "ia3")
    blocks, directions = blocks_of(half)
    assert type(make_scorer(half.model, half.parameters, directions, blocks=blocks)) is CopyInScorer
    assert "each forward runs the whole model, because lanes of this adapter cannot share" in caplog.text
