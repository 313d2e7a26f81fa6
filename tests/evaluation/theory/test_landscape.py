from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.blocks import ONE_BLOCK
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.core.errors import ConfigurationError
from fedmezo.evaluation.fidelity import gradient
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.landscape import Landscape
from fedmezo.zeroth_order.scoring import CopyInScorer
from tests.models.tiny import ROWS, Tuned, bits, make_batch, places, tiny_lora

BATCH = make_batch(*ROWS)


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


def vectors(size: int, count: int = 2) -> Tensor:
    return torch.stack([direction(key, 0, size) for key in range(count)])


def test_products_are_differences_of_gradients(lora: Tuned) -> None:
    given, small = vectors(lora.parameters.size), 1e-3
    found = Landscape(lora.scorer).products(lora.point, BATCH, given)
    for vector, each in zip(given, found, strict=True):
        above, below = (gradient(lora.scorer, lora.point + sign * small * vector, BATCH) for sign in (1, -1))
        wanted = (above - below) / (2 * small)
        assert float((each - wanted).norm()) < 0.01 * float(wanted.norm())


def test_the_hessian_is_symmetric(lora: Tuned) -> None:
    one, other = vectors(lora.parameters.size)
    first, second = Landscape(lora.scorer).products(lora.point, BATCH, torch.stack([one, other]))
    assert float(first @ other) == pytest.approx(float(second @ one), rel=1e-3)


def test_forms_are_those_of_each_batch(lora: Tuned) -> None:
    batches = [BATCH, make_batch(*ROWS, first=20)]
    landscape, given = Landscape(lora.scorer), vectors(lora.parameters.size, 3)
    half = lora.parameters.size // 2
    division = Division(((0, half, 1), (half, lora.parameters.size, 0)), (0, 1), 2, ONE_BLOCK)
    parts = landscape.forms(lora.point, batches, given, division)
    assert parts.shape == (2, 3, 2)
    products = landscape.products(lora.point, batches[0], given)
    assert torch.allclose(parts[0, :, 1].float(), (products * given)[:, :half].sum(dim=1), rtol=1e-3, atol=1e-4)
    found = parts.sum(dim=2)
    mean = (landscape.mean_products(lora.point, batches, given) * given).sum(dim=1)
    assert torch.allclose(found.mean(dim=0).float(), mean, rtol=1e-3)


def test_products_leave_no_trace(lora: Tuned) -> None:
    values, objects = bits(lora.model), places(lora.model)
    Landscape(lora.scorer).products(lora.point, BATCH, vectors(lora.parameters.size))
    assert bits(lora.model) == values and places(lora.model) == objects
    assert all(parameter.grad is None for parameter in lora.model.parameters())


def test_scaled_directions_are_scaled_coordinates(lora: Tuned) -> None:
    size = lora.parameters.size
    half = size // 2
    scaled = CopyInScorer(
        lora.model, lora.parameters, Directions("gaussian", (Part(0, half, 0.5), Part(half, size, 2.0)))
    )
    scales = torch.cat([torch.full((half,), 0.5), torch.full((size - half,), 2.0)])
    plain, found, given = Landscape(lora.scorer), Landscape(scaled), vectors(size)
    assert torch.allclose(found.gradient(lora.point, BATCH), scales * plain.gradient(lora.point, BATCH))
    wanted = scales * plain.products(lora.point, BATCH, scales * given)
    assert torch.allclose(found.products(lora.point, BATCH, given), wanted, atol=1e-5)
    assert found.distance(lora.point, lora.point + scales) == pytest.approx(size**0.5, rel=1e-4)
    assert plain.distance(lora.point, lora.point + scales) == pytest.approx(float(scales.norm()), rel=1e-4)


def test_a_model_without_second_derivatives_is_told(lora: Tuned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fused kernel of attention, which is what a model takes if nobody asks for another, has none."""
    monkeypatch.setattr("fedmezo.evaluation.theory.landscape.sdpa_kernel", lambda backend: nullcontext())
    with pytest.raises(ConfigurationError, match="second derivatives"):
        Landscape(lora.scorer).products(lora.point, BATCH, vectors(lora.parameters.size))
