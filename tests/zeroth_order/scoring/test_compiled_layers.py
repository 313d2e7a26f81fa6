"""Compiled layers: the same losses up to rounding, one compilation for all layers and lengths."""

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import AutoModelForCausalLM

from fedmezo.core.errors import ResourceError
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.half_precision import with_half_products
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.scoring import LoraBatchedScorer
from fedmezo.zeroth_order.scoring.compiled_layers import CompiledLayers
from tests.models.tiny import Tuned, bits, make_batch, tiny_base, tuned

LANES = CentralDifference().lanes([5], 0.005)


def lora(*, half: bool) -> Tuned:
    """Return an adapter on a model of five layers."""
    config = tiny_base().config
    config.update({"num_hidden_layers": 5, "layer_types": None})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_config(config).to(torch.bfloat16 if half else torch.float32)
    return tuned(attach_adapter(with_half_products(base) if half else base, {"adapter_method": "lora", "r": 4}))


@pytest.mark.integration
@pytest.mark.timeout(300)
@pytest.mark.parametrize("half", [False, pytest.param(True, marks=pytest.mark.full)], ids=["fp32", "bf16"])
def test_losses_are_those_of_the_layers_themselves(half: bool) -> None:
    model = lora(half=half)
    plain = LoraBatchedScorer(model.model, model.parameters)
    compiled = LoraBatchedScorer(model.model, model.parameters, compiled=CompiledLayers(model.model))
    before = bits(model.model)
    counters.clear()
    for number, rows in enumerate([((3, 5),), ((2, 9),), ((20, 30),), ((7, 4),)]):
        batch, point = make_batch(*rows), model.point + 0.01 * number
        wanted = plain.losses(point, LANES, batch)
        found = compiled.losses(point, LANES, batch)
        assert found == pytest.approx(wanted, abs=5e-3 if half else 1e-5)
        g, exact = ((a - b) / 0.01 for a, b in (found, wanted))
        assert g == pytest.approx(exact, rel=0.03, abs=0.02 if half else 1e-3)
    assert 1 <= counters["stats"]["unique_graphs"] <= 2  # not one for each of 5 layers, or of 4 lengths
    assert bits(model.model) == before
    assert not any("forward" in vars(module) for module in model.model.modules())


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_it_says_so(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(ResourceError, match=r"^train\.compile = True\n    there is no C\+\+ compiler \("):
        CompiledLayers(tiny_base())


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(ResourceError, match=r"^train\.compile = True\n    the model has no layers"):
        CompiledLayers(torch.nn.Linear(2, 2))
