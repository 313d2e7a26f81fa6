"""Scoring on a CUDA device against the CPU; only where there is one."""

from pathlib import Path

import pytest
import torch

from fedmezo.models.adapters import attach_adapter
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.half_precision import with_half_products
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.scoring import CopyInScorer, LayerwiseScorer, LoraBatchedScorer, Scorer
from fedmezo.zeroth_order.scoring.backup import backed_up
from fedmezo.zeroth_order.scoring.compiled_layers import CompiledLayers
from tests.models.tiny import FAMILIES, make_batch, tiny_adapter, tiny_base

pytestmark = pytest.mark.gpu
LANES = CentralDifference().lanes([3, 4], 0.005)
ROWS = ((3, 5), (1, 9), (6, 2))


def losses(kind: type[Scorer], family: str, device: str, *, half: bool = False, compiled: bool = False) -> list[float]:
    """Return the losses of lanes around a point that is the same on every device."""
    base = tiny_base(torch.bfloat16 if half else torch.float32, family).to(device)
    base = with_half_products(base) if half else base
    whole = kind is LayerwiseScorer
    model = base.requires_grad_(True) if whole else attach_adapter(base, {"adapter_method": "lora", "r": 4}).to(device)
    parameters = FlatParameters(model)
    point = parameters.buffer if whole else tiny_adapter("lora", family=family).point.to(device)
    scorer = kind(model, parameters, compiled=CompiledLayers(model) if compiled else None)
    return scorer.losses(point, LANES, make_batch(*ROWS))


@pytest.mark.parametrize("kind", [LoraBatchedScorer, CopyInScorer, LayerwiseScorer])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_cpu(kind: type[Scorer], family: str) -> None:
    assert losses(kind, family, "cuda") == pytest.approx(losses(kind, family, "cpu"), abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_keeps_the_difference(family: str) -> None:
    exact, halved = losses(LoraBatchedScorer, family, "cpu"), losses(LoraBatchedScorer, family, "cuda", half=True)
    wanted, g = ((found[0] - found[2]) / 0.01 for found in (exact, halved))
    assert g == pytest.approx(wanted, rel=0.1, abs=0.05)


@pytest.mark.gpu_code
def test_compiled_layers() -> None:
    wanted = losses(LoraBatchedScorer, "tiny-llama", "cpu")
    assert losses(LoraBatchedScorer, "tiny-llama", "cuda", compiled=True) == pytest.approx(wanted, abs=1e-4)


def test_a_vector_on_the_device_comes_back(tmp_path: Path) -> None:
    vector = torch.randn(10_000, device="cuda")
    before = vector.clone()
    with backed_up(vector, tmp_path):
        vector.zero_()
    assert torch.equal(vector, before)
    assert not list(tmp_path.iterdir())  # in the host's memory
