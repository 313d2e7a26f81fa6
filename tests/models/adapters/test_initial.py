import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedmezo.models.adapters import attach_adapter
from fedmezo.models.flat_parameters import FlatParameters
from tests.models.tiny import ROWS, SMALL, initial, make_batch, tiny_adapter, tiny_base, tiny_lora

FAN_IN = 32  # of every adapted matrix of the tiny model
DRAWN: list[tuple[str, dict[str, Any]]] = [
    ("lora", {"r": 64}),
    ("lora", {"target_modules": ["embed_tokens"]}),
    ("prefix", {"num_virtual_tokens": 50}),
    ("prefix", {"num_virtual_tokens": 50, "prefix_projection": True, "encoder_hidden_size": 64}),
    ("prompt", {"num_virtual_tokens": 50}),
    ("p-tuning", {"num_virtual_tokens": 50, "encoder_hidden_size": 64}),
    ("p-tuning", {"encoder_hidden_size": 64, "encoder_reparameterization_type": "LSTM"}),
]


def test_initial_a_is_uniform_within_one_over_the_root_of_the_fan_in_and_b_is_zero() -> None:
    parameters = tiny_lora(r=64).parameters
    point = initial(parameters, seed=11)
    tensors = parameters.tensors(point)
    assert all(not tensor.any() for name, tensor in tensors.items() if ".lora_B." in name)
    values = torch.cat([tensor.flatten() for name, tensor in tensors.items() if ".lora_A." in name]).double().sort()[0]
    uniform = values * math.sqrt(FAN_IN) / 2 + 0.5
    ranks = (torch.arange(len(values)) + 0.5) / len(values)
    assert len(values) == 4 * 64 * FAN_IN
    assert uniform.min() >= 0 and uniform.max() < 1
    assert (uniform - ranks).abs().max() < 1.63 / math.sqrt(len(values))  # Kolmogorov-Smirnov, 1 %
    correlations = torch.corrcoef(torch.stack([t.flatten() for n, t in tensors.items() if ".lora_A." in n]))
    assert (correlations - torch.eye(4)).abs().max() < 0.1  # tensors have draws of their own


def test_initial_values_are_the_committed_ones() -> None:
    point = initial(tiny_lora().parameters, seed=0)
    steps = point[[0, 1, 127]].double() * math.sqrt(FAN_IN) * 2**23
    assert steps.round().int().tolist() == [4983108, 4263357, -5966420]  # recomputed with integers alone


def frozen(torch_seed: int, seed: int) -> Tensor:
    """Return A of all layers, where it is frozen."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed)
        model = attach_adapter(tiny_base(), {"adapter_method": "lora", "r": 4, "freeze_a": True}, seed)
    return torch.cat([own.detach().flatten() for name, own in sorted(model.named_parameters()) if ".lora_A." in name])


def test_frozen_factors_are_the_committed_ones_on_any_machine() -> None:
    """Uniform, as those that are trained, by their own draws, which depend on the seed of the run alone."""
    first = frozen(torch_seed=1, seed=0)
    steps = first[[0, 1, 127]].double() * math.sqrt(FAN_IN) * 2**23
    assert steps.round().int().tolist() == [5312430, 4839215, -4973821]  # as numpy has them
    assert torch.equal(first, frozen(torch_seed=2, seed=0))
    assert (first != frozen(torch_seed=1, seed=1)).all()
    assert float((first * math.sqrt(FAN_IN)).abs().max()) == pytest.approx(1.0, abs=0.05)


def test_initial_values_depend_on_the_flat_index_and_not_on_the_tensors_before() -> None:
    def drawn(*shapes: tuple[int, int]) -> Tensor:
        tensors = [nn.ParameterDict({"weight": torch.ones(shape)}) for shape in shapes]
        model = nn.ModuleList(nn.ModuleDict({"lora_A": nn.ModuleDict({"default": tensor})}) for tensor in tensors)
        fans = torch.cat([torch.full((rows * fan_in,), math.sqrt(fan_in)) for rows, fan_in in shapes])
        return initial(FlatParameters(model), seed=3) * fans

    assert torch.allclose(drawn((3, 5), (2, 9), (1, 2)), drawn((5, 7)), atol=1e-6)


def test_initial_values_depend_on_the_seed_and_not_on_torchs() -> None:
    points = []
    for torch_seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed)
            points.append(
                initial(FlatParameters(attach_adapter(tiny_base(), {"adapter_method": "lora", "r": 4})), seed=5)
            )
    assert torch.equal(points[0], points[1])
    other = initial(tiny_lora().parameters, seed=6)
    assert (other != points[0]).float().mean() > 0.4  # B is zero for both


def test_initial_values_of_whole_models_are_the_models_own() -> None:
    model = tiny_base().requires_grad_(True)
    parameters = FlatParameters(model)
    assert torch.equal(initial(parameters, seed=3), parameters.buffer)


def test_without_training_the_adapter_changes_nothing() -> None:
    lora = tiny_lora()
    batch = make_batch(*ROWS)
    base = tiny_base().eval()
    with torch.inference_mode():
        wanted = base(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).loss.item()
    assert lora.scorer.loss(initial(lora.parameters, 0), batch) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("method", "arguments"), DRAWN)
def test_values_are_distributed_as_pefts_own(method: str, arguments: dict[str, Any]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        parameters = FlatParameters(
            attach_adapter(tiny_base(), {"adapter_method": method, **SMALL[method], **arguments})
        )
    pefts, ours = parameters.tensors(parameters.buffer), parameters.tensors(initial(parameters, seed=2, method=method))
    for name, values in ours.items():
        peft, count = pefts[name], values.numel()
        assert not peft.any() or not torch.equal(values, peft), name
        assert values.std().item() == pytest.approx(peft.std().item(), rel=4 / math.sqrt(count)), name
        assert values.mean().item() == pytest.approx(0, abs=5 * peft.std().item() / math.sqrt(count)), name
        if ".lora_B." not in name and count > 500:
            assert values.abs().max().item() == pytest.approx(peft.abs().max().item(), rel=0.5), name


@pytest.mark.parametrize(("method", "arguments"), [("ia3", {}), ("prefix", {"init_weights": "zero"})])
def test_what_peft_sets_to_a_constant_stays(method: str, arguments: dict[str, Any]) -> None:
    parameters = FlatParameters(attach_adapter(tiny_base(), {"adapter_method": method, **SMALL[method], **arguments}))
    assert set(initial(parameters, seed=3, method=method).tolist()) == {float(method == "ia3")}


def test_a_zeroed_projection_gives_the_zero_prefix() -> None:
    arguments: dict[str, Any] = {"init_weights": "zero", "prefix_projection": True, "encoder_hidden_size": 8}
    projected, batch = tiny_adapter("prefix", **arguments), make_batch(*ROWS)
    zero = tiny_adapter("prefix", init_weights="zero")
    start = initial(projected.parameters, 3, "prefix")
    wanted = zero.scorer.loss(initial(zero.parameters, 3, "prefix"), batch)
    assert projected.scorer.loss(start, batch) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("method", SMALL)
def test_no_method_depends_on_torchs_seed(method: str) -> None:
    points = []
    for torch_seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed)
            points.append(initial(tiny_adapter(method).parameters, 5, method))
    assert torch.equal(points[0], points[1])
