from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from fedmezo.core.errors import ResourceError
from fedmezo.models.adapters import attach_adapter, load_point, methods, save_trained
from fedmezo.models.adapters.checkpoint import TRAINABLE
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.hubs import load_base_model
from fedmezo.models.tokenizers import ByteTokenizer, PretrainedTokenizer, complete
from fedmezo.zeroth_order.scoring import CopyInScorer, token_losses
from tests.models.test_tokenizers import bpe
from tests.models.tiny import (
    FAMILIES,
    NO_CACHE,
    ROWS,
    SMALL,
    Tuned,
    make_batch,
    tiny_adapter,
    tiny_base,
    tiny_lora,
    tuned,
)

WEIGHTS = "adapter_model.safetensors"
# of each method, with what PEFT's file holds as it is trained (plain) or not (encoded)
PLAIN: list[tuple[str, dict[str, Any]]] = [
    *((method, {}) for method in SMALL if method != "p-tuning"),
    ("lora", {"use_dora": True}),
    ("lora", {"freeze_a": True}),
    ("lora", {"modules_to_save": ["lm_head"], "target_modules": ["embed_tokens", "q_proj"]}),
    ("lora", {"trainable_token_indices": [3, 9]}),
    ("lora", {"bias": "all", "family": "tiny-opt"}),
    ("prefix", {"family": "tiny-gemma"}),
]
ENCODED: list[tuple[str, dict[str, Any]]] = [
    ("p-tuning", {}),
    ("p-tuning", {"encoder_reparameterization_type": "LSTM"}),
    ("prefix", {"prefix_projection": True, "encoder_hidden_size": 8}),
]


def saved(lora: Tuned, folder: Path) -> Path:
    with lora.scorer.at(lora.point) as model:
        save_trained(model, folder, ByteTokenizer())
    return folder


@pytest.mark.parametrize(("method", "arguments"), [*PLAIN, *ENCODED])
def test_a_saved_adapter_gives_peft_the_same_loss(method: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    adapted, batch = tiny_adapter(method, **arguments), make_batch(*ROWS)
    base = tiny_base(family=arguments.get("family", "tiny-llama"))
    loaded = PeftModel.from_pretrained(base, saved(adapted, tmp_path / "adapter")).requires_grad_(True)
    parameters = FlatParameters(loaded.eval())
    wanted = adapted.scorer.loss(adapted.point, batch)
    assert CopyInScorer(loaded, parameters).loss(parameters.buffer.clone(), batch) == pytest.approx(wanted, abs=1e-6)
    assert wanted != adapted.scorer.loss(adapted.parameters.buffer.clone(), batch)


@pytest.mark.parametrize(("method", "arguments"), [*PLAIN, *ENCODED])
def test_a_saved_point_is_loaded_bit_for_bit(method: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    adapted = tiny_adapter(method, **arguments)
    point = load_point(adapted.parameters, saved(adapted, tmp_path), adapted.model)
    assert torch.equal(point.view(torch.int32), adapted.point.view(torch.int32))
    assert (tmp_path / TRAINABLE).is_file() == ((method, arguments) in ENCODED)


def test_what_an_encoder_computes_is_not_enough_to_go_on_with(tmp_path: Path) -> None:
    adapted = tiny_adapter("p-tuning")
    (saved(adapted, tmp_path) / TRAINABLE).unlink()
    with pytest.raises(ResourceError, match="but not the encoder"):
        load_point(adapted.parameters, tmp_path, adapted.model)


@pytest.mark.parametrize("method", SMALL)
def test_an_adapter_of_another_method_or_model_is_not_restored(method: str, tmp_path: Path) -> None:
    adapted = tiny_adapter(method)
    for other in SMALL.keys() - {method}:
        folder = saved(tiny_adapter(other), tmp_path / other)
        with pytest.raises(
            ResourceError, match=r"it was made with another adapter_method.* than llm.adapter.args says"
        ):
            load_point(adapted.parameters, folder, adapted.model)
    elsewhere = saved(tiny_adapter(method, family="tiny-opt"), tmp_path / "opt")
    if method not in ("prompt", "p-tuning"):  # whose virtual tokens are of the same width in both
        with pytest.raises(ResourceError, match="no adapter that fits this model"):
            load_point(adapted.parameters, elsewhere, adapted.model)


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
    with pytest.raises(ResourceError, match=r"for a model: model\.type"):
        load_point(whole.parameters, saved(tiny_lora(), tmp_path), whole.model)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_gives_transformers_the_same_loss(family: str, tmp_path: Path) -> None:
    model = tiny_base(family=family).requires_grad_(True)
    tied = model.config.tie_word_embeddings
    whole, batch = tuned(model), make_batch(*ROWS)
    saved(whole, tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert ("lm_head.weight" in file.keys()) == (not tied)  # noqa: SIM118 (not a mapping)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, use_safetensors=True)
    parameters = FlatParameters(loaded)
    assert parameters.layout_hash() == whole.parameters.layout_hash()
    assert torch.equal(parameters.buffer, whole.point)
    assert CopyInScorer(loaded, parameters).loss(whole.point, batch) == whole.scorer.loss(whole.point, batch)


@pytest.mark.parametrize(
    "arguments", [{"lora_alpha": 32}, {"use_rslora": True}, {"use_dora": True}, {"alpha_pattern": {"v_proj": 3}}]
)
def test_an_adapter_that_means_something_else_is_not_restored(arguments: dict[str, Any], tmp_path: Path) -> None:
    other = saved(tiny_lora(**arguments), tmp_path)
    lora = tiny_lora()
    with pytest.raises(ResourceError, match=next(iter(arguments))):
        load_point(lora.parameters, other, lora.model, methods.registry["lora"].alike)


def test_an_adapter_beside_other_frozen_factors_is_not_restored(tmp_path: Path) -> None:
    other = saved(tiny_lora(freeze_a=True), tmp_path)
    model = attach_adapter(tiny_base(), {"adapter_method": "lora", "r": 4, "freeze_a": True}, seed=1)
    with pytest.raises(ResourceError, match="what freeze_a leaves as it was drawn is other than here"):
        load_point(FlatParameters(model), other, model, methods.registry["lora"].alike)


@pytest.mark.parametrize("method", SMALL)
def test_an_extended_vocabulary_goes_with_the_adapter(method: str, tmp_path: Path) -> None:
    ending = bpe(ending="<extra>")
    ending.eos_token = None
    model = tiny_base()
    tokenizer = PretrainedTokenizer(ending, extended=complete(ending, model))
    adapted = tuned(attach_adapter(model, {"adapter_method": method, **SMALL[method]}), method)
    batch = make_batch(*ROWS)
    batch.input_ids[0, 4] = batch.labels[0, 4] = tokenizer.eos_id  # a response ends in the new token
    with adapted.scorer.at(adapted.point) as at_point:
        save_trained(at_point, tmp_path, tokenizer)
    wanted = adapted.scorer.loss(adapted.point, batch)
    assert torch.equal(load_point(adapted.parameters, tmp_path, adapted.model), adapted.point)

    saved_tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert saved_tokenizer.eos_token_id == tokenizer.eos_id
    base = tiny_base()
    base.resize_token_embeddings(len(saved_tokenizer))
    loaded = PeftModel.from_pretrained(base, tmp_path).eval()
    with torch.inference_mode():
        losses, _ = token_losses(loaded, batch)
    assert losses.double().mean().item() == pytest.approx(wanted, abs=1e-6)


def test_a_whole_model_is_saved_with_its_tokenizer(tmp_path: Path) -> None:
    whole = tuned(tiny_base().requires_grad_(True))
    with whole.scorer.at(whole.point) as model:
        save_trained(model, tmp_path, PretrainedTokenizer(bpe(size=259)))
    again = load_base_model(f"{tmp_path}@huggingface_llm", dtype=torch.float32, cache=NO_CACHE)
    assert torch.equal(FlatParameters(again.model).buffer, whole.point)
    assert again.tokenizer.fingerprint == PretrainedTokenizer(bpe(size=259)).fingerprint


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1])
def test_an_adapter_of_other_values_than_finite_numbers_is_not_restored(value: float, tmp_path: Path) -> None:
    lora = tiny_lora()
    file = saved(lora, tmp_path) / "adapter_model.safetensors"
    tensors = load_file(file)
    name = sorted(tensors)[0]
    tensors[name] = torch.full(tensors[name].shape, value)  # of whole numbers, where the value is one
    save_file(tensors, file)
    with pytest.raises(ResourceError, match=rf"{name} holds other values than finite floating-point numbers"):
        load_point(lora.parameters, tmp_path, lora.model)


def test_settings_of_an_adapter_that_are_none_are_told(tmp_path: Path) -> None:
    lora = tiny_lora()
    (saved(lora, tmp_path) / "adapter_config.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ResourceError, match="no adapter that fits this model"):
        load_point(lora.parameters, tmp_path, lora.model)
