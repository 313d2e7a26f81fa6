"""Families as their authors publish them: our losses are transformers' own, of the same weights, row by row alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from fedmezo.core.directions.scaled import Directions
from fedmezo.core.errors import ConfigurationError
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.hubs import load_base_model
from fedmezo.models.tokenizers import ByteTokenizer
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring import Scorer, make_scorer, token_losses
from tests.models.tiny import bits, initial, make_batch

ROWS = ((3, 40), (90, 9), (60, 70), (1, 2))  # (prompt tokens, response tokens)
SIZES: dict[str, Any] = {
    "vocab_size": ByteTokenizer.vocab_size,
    "bos_token_id": ByteTokenizer.bos_id,
    "eos_token_id": ByteTokenizer.eos_id,
    "pad_token_id": ByteTokenizer.pad_id,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
OPT = SIZES | {"ffn_dim": 64}
LLAMA3 = {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 32}


@dataclass(frozen=True)
class Family:
    """A family's configuration, of a small size with all that sets it apart; and how its weights were published.

    Args:
        kind: the class of its configuration.
        sizes: arguments of that.
        tied: whether its head is its embedding.
        published: how the names of its ``pytorch_model.bin`` differ from transformers' own.
        more: what that file holds besides.
    """

    kind: str
    sizes: dict[str, Any]
    tied: bool
    published: Callable[[str], str] = str
    more: Callable[[], dict[str, Tensor]] = dict


FAMILIES = {
    "OPT": Family("OPTConfig", OPT, True, lambda name: name.removeprefix("model.")),
    "OPT-350M": Family("OPTConfig", OPT | {"do_layer_norm_before": False, "word_embed_proj_dim": 16}, True),
    "OPT without bias": Family("OPTConfig", OPT | {"enable_bias": False, "layer_norm_elementwise_affine": False}, True),
    "GPT-2": Family(
        "GPT2Config",
        SIZES | {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256},
        True,
        lambda name: name.removeprefix("transformer."),
        lambda: {f"h.{layer}.attn.bias": torch.ones(1, 1, 256, 256).tril() for layer in range(3)},
    ),
    "Gemma 3": Family(
        "Gemma3TextConfig",
        SIZES
        | {"head_dim": 16, "query_pre_attn_scalar": 20, "sliding_window": 16, "final_logit_softcapping": 3.0}
        | {"layer_types": ["sliding_attention", "full_attention"] * 2},
        True,
    ),
    "Qwen 3": Family("Qwen3Config", SIZES | {"head_dim": 16, "tie_word_embeddings": True}, True),
    "Qwen 3 8B": Family("Qwen3Config", SIZES | {"head_dim": 16, "tie_word_embeddings": False}, False),
    "Llama 3.2": Family(
        "LlamaConfig",
        SIZES
        | {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", **LLAMA3}, "tie_word_embeddings": True},
        True,
    ),
    "SmolLM3": Family(
        "SmolLM3Config",
        SIZES | {"no_rope_layer_interval": 4, "rope_theta": 5000000.0, "tie_word_embeddings": True},
        True,
    ),
}
EVERY = pytest.mark.parametrize("name", FAMILIES)


def original(name: str) -> PreTrainedModel:
    """Return a family's model with weights of which none is a one or a zero, so that each of them has a say."""
    family = FAMILIES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_config(getattr(transformers, family.kind)(**family.sizes))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == family.tied
    found: PreTrainedModel = model.eval()
    return found


def saved(name: str, folder: Path, form: str) -> Path:
    """Save a family's model in a form that models are published in, with the tokenizer of bytes."""
    model, family = original(name), FAMILIES[name]
    model.save_pretrained(folder)
    if form == "bin":
        (folder / "model.safetensors").unlink()
        state = {family.published(key): tensor for key, tensor in model.state_dict().items()}
        torch.save(state | family.more(), folder / "pytorch_model.bin")
    ByteTokenizer().tokenizer.save_pretrained(folder)
    return folder


def loaded(folder: Path) -> PreTrainedModel:
    return load_base_model(f"{folder}@huggingface_llm", dtype=torch.float32, cache=folder.parent / "cache").model


def transformers_own(name: str) -> list[float]:
    """Return the loss of each row alone, as transformers computes it from ``labels``."""
    model, losses = original(name), []
    for number, row in enumerate(ROWS):
        batch = make_batch(row, first=number)
        with torch.inference_mode():
            losses.append(model(input_ids=batch.input_ids, labels=batch.labels).loss.item())
    return losses


def by_row(losses: Tensor, rows: Tensor) -> list[float]:
    return [losses[rows == row].double().mean().item() for row in range(len(ROWS))]


@pytest.mark.parametrize("form", ["safetensors", "bin"])
@EVERY
def test_the_losses_of_padded_rows_are_transformers_own_of_rows_alone(name: str, form: str, tmp_path: Path) -> None:
    model = loaded(saved(name, tmp_path / "model", form))
    with torch.inference_mode():
        found = by_row(*token_losses(model, make_batch(*ROWS)))
    assert found == pytest.approx(transformers_own(name), abs=1e-5)
    assert bits(model) == bits(original(name))
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == FAMILIES[name].tied


def of_lora(model: PreTrainedModel) -> tuple[Scorer, Tensor]:
    """Return the scorer of LoRA, whose second factor is 0 at the beginning: the model is as it was."""
    adapted = attach_adapter(model, {"adapter_method": "lora", "r": 2, "target_modules": "all-linear"})
    parameters = FlatParameters(adapted)
    return make_scorer(adapted, parameters, Directions()), initial(parameters)


def of_all(model: PreTrainedModel) -> tuple[Scorer, Tensor]:
    parameters = FlatParameters(model.requires_grad_(True))
    return make_scorer(model, parameters, Directions(), movable=True), parameters.buffer


@pytest.mark.covering(1)
@pytest.mark.parametrize("of", [of_lora, of_all])
@EVERY
def test_every_way_of_scoring_gives_the_mean_of_these_losses(
    name: str, of: Callable[[PreTrainedModel], tuple[Scorer, Tensor]]
) -> None:
    scorer, point = of(original(name))
    (found,) = scorer.losses(point, [Lane(0, 0.0)], make_batch(*ROWS))
    tokens = [response for _, response in ROWS]
    each = zip(transformers_own(name), tokens, strict=True)
    assert found == pytest.approx(sum(loss * count for loss, count in each) / sum(tokens), abs=1e-5)


def test_a_family_whose_layers_peft_does_not_know_is_told_with_those_it_has() -> None:
    with pytest.raises(ConfigurationError) as caught:
        attach_adapter(original("SmolLM3"), {"adapter_method": "lora", "r": 2})
    layers = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    told = f"it does not know which layers of smollm3 to adapt: name some in target_modules, of {layers}"
    assert str(caught.value).endswith(told)


@EVERY
def test_no_weight_is_without_a_say(name: str) -> None:
    """What is compared above depends on every tensor: a final norm or a bias that was left out would be seen."""
    model, batch = original(name), make_batch(*ROWS)
    with torch.inference_mode():
        before = token_losses(model, batch)[0].clone()
        for key, parameter in model.named_parameters():
            kept = parameter.clone()
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)), alpha=0.5)
            if "k_proj.bias" not in key:  # the same for all keys of a query, which softmax does not see
                assert not torch.allclose(token_losses(model, batch)[0], before, atol=1e-4), key
            parameter.copy_(kept)
