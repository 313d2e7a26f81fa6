import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from fedmezo.errors import ConfigurationError, ResourceError
from fedmezo.models.adapters import attach_adapter, initial_parameters, load_point, save_trained
from fedmezo.models.flat import FlatParameters
from fedmezo.models.hubs.random_llm import TINY_LLAMA
from fedmezo.models.scoring import Scorer
from tests.models.tiny import ROWS, Tuned, make_batch, tiny_base, tiny_lora, tuned

FAN_IN = 32  # of every adapted matrix of the tiny model
WEIGHTS = "adapter_model.safetensors"


def saved(lora: Tuned, folder: Path) -> Path:
    with lora.scorer.at(lora.point) as model:
        save_trained(model, folder)
    return folder


def test_only_the_adapter_is_trained() -> None:
    trained = [name for name, parameter in tiny_lora().model.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * 2 * 2  # layers, projections, A and B
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)


def test_initial_a_is_uniform_within_one_over_the_root_of_the_fan_in_and_b_is_zero() -> None:
    parameters = tiny_lora(r=64).parameters
    point = initial_parameters(parameters, seed=11)
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
    point = initial_parameters(tiny_lora().parameters, seed=0)
    steps = point[[0, 1, 127]].double() * math.sqrt(FAN_IN) * 2**23
    assert steps.round().int().tolist() == [4983108, 4263357, -5966420]  # recomputed with integers alone


def test_initial_values_depend_on_the_flat_index_and_not_on_the_tensors_before() -> None:
    def drawn(*shapes: tuple[int, int]) -> Tensor:
        tensors = [nn.ParameterDict({"weight": torch.empty(shape)}) for shape in shapes]
        model = nn.ModuleList(nn.ModuleDict({"lora_A": nn.ModuleDict({"default": tensor})}) for tensor in tensors)
        fans = torch.cat([torch.full((rows * fan_in,), math.sqrt(fan_in)) for rows, fan_in in shapes])
        return initial_parameters(FlatParameters(model), seed=3) * fans

    assert torch.allclose(drawn((3, 5), (2, 9), (1, 2)), drawn((5, 7)), atol=1e-6)


def test_initial_values_depend_on_the_seed_and_not_on_torchs() -> None:
    points = []
    for torch_seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed)
            points.append(initial_parameters(FlatParameters(attach_adapter(tiny_base(), {"r": 4})), seed=5))
    assert torch.equal(points[0], points[1])
    other = initial_parameters(tiny_lora().parameters, seed=6)
    assert (other != points[0]).float().mean() > 0.4  # B is zero for both


def test_initial_values_of_whole_models_are_the_models_own() -> None:
    model = tiny_base().requires_grad_(True)
    parameters = FlatParameters(model)
    assert torch.equal(initial_parameters(parameters, seed=3), parameters.buffer)


def test_without_training_the_adapter_changes_nothing() -> None:
    lora = tiny_lora()
    batch = make_batch(*ROWS)
    base = tiny_base().eval()
    with torch.inference_mode():
        wanted = base(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).loss.item()
    assert lora.scorer.loss(initial_parameters(lora.parameters, 0), batch) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rank": 4}, "unexpected keyword argument 'rank'"),
        ({"r": 0}, "`r` should be a positive integer value but the value passed is 0"),
        ({"target_modules": ["q_projection"]}, "q_projection"),
    ],
)
def test_arguments_that_peft_refuses_are_a_configuration_error(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        attach_adapter(tiny_base(), {"adapter_package": "peft", "adapter_method": "lora", **arguments})
    assert str(caught.value).startswith("llm.adapter.args = {'adapter_package': 'peft'")
    assert "peft refuses them: " in str(caught.value)
    assert words in str(caught.value)


def test_a_saved_adapter_gives_peft_the_same_loss(tmp_path: Path) -> None:
    lora, batch = tiny_lora(lora_alpha=13), make_batch(*ROWS)
    loaded = PeftModel.from_pretrained(tiny_base(), saved(lora, tmp_path / "adapter")).requires_grad_(True)
    parameters = FlatParameters(loaded.eval())
    assert Scorer(loaded, parameters).loss(parameters.buffer.clone(), batch) == lora.scorer.loss(lora.point, batch)
    assert json.loads((tmp_path / "adapter/adapter_config.json").read_text())["lora_alpha"] == 13


def test_a_saved_point_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    lora = tiny_lora()
    point = load_point(lora.parameters, saved(lora, tmp_path), lora.model)
    assert torch.equal(point.view(torch.int32), lora.point.view(torch.int32))


@pytest.mark.parametrize("folder", ["nowhere", "owner/nowhere", "/nowhere/at/all"])
def test_a_folder_that_is_not_there_is_no_adapter(folder: str) -> None:
    lora = tiny_lora()
    with pytest.raises(ResourceError, match=f"federate.restore_from = {folder}\n    no adapter that fits this model"):
        load_point(lora.parameters, Path(folder), lora.model)


def test_other_shapes_names_and_damaged_files_are_no_adapter_that_fits(tmp_path: Path) -> None:
    lora = tiny_lora()
    wider = saved(tiny_lora(r=8), tmp_path / "wider")
    elsewhere = saved(tiny_lora(target_modules=["k_proj"]), tmp_path / "elsewhere")
    damaged = saved(lora, tmp_path / "damaged")
    (damaged / WEIGHTS).write_bytes((damaged / WEIGHTS).read_bytes()[:-100])
    pickled = saved(lora, tmp_path / "pickled")
    (pickled / WEIGHTS).rename(pickled / "adapter_model.bin")
    for folder in (wider, elsewhere, damaged, pickled):
        with pytest.raises(ResourceError, match=folder.name):
            load_point(lora.parameters, folder, lora.model)


def test_whole_models_cannot_be_restored_from_an_adapter(tmp_path: Path) -> None:
    whole = tuned(tiny_base().requires_grad_(True))
    with pytest.raises(ResourceError, match=r"set llm\.adapter\.use"):
        load_point(whole.parameters, saved(tiny_lora(), tmp_path), whole.model)


@pytest.mark.parametrize("tied", [False, True])
def test_a_saved_model_gives_transformers_the_same_loss(tied: bool, tmp_path: Path) -> None:
    model = LlamaForCausalLM(LlamaConfig(**TINY_LLAMA, tie_word_embeddings=tied)).requires_grad_(True)
    whole, batch = tuned(model), make_batch(*ROWS)
    saved(whole, tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert ("lm_head.weight" in file.keys()) == (not tied)  # noqa: SIM118 (not a mapping)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, use_safetensors=True)
    parameters = FlatParameters(loaded)
    assert parameters.digest() == whole.parameters.digest()
    assert torch.equal(parameters.buffer, whole.point)
    assert Scorer(loaded, parameters).loss(whole.point, batch) == whole.scorer.loss(whole.point, batch)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"init_lora_weights": "pissa"}, "init_lora_weights"), ({"target_modules": ["embed_tokens"]}, "embeddings")],
)
def test_initial_values_that_the_seed_does_not_determine_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        attach_adapter(tiny_base(), arguments)


@pytest.mark.parametrize("arguments", [{"lora_alpha": 32}, {"use_rslora": True}, {"use_dora": True}])
def test_an_adapter_that_means_something_else_is_not_restored(arguments: dict[str, Any], tmp_path: Path) -> None:
    other = saved(tiny_lora(**arguments), tmp_path)
    lora = tiny_lora()
    with pytest.raises(ResourceError, match=next(iter(arguments))):
        load_point(lora.parameters, other, lora.model)


def test_dora_is_restored_bit_for_bit(tmp_path: Path) -> None:
    dora = tiny_lora(use_dora=True)
    assert torch.equal(load_point(dora.parameters, saved(dora, tmp_path), dora.model), dora.point)
