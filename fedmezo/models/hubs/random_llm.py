"""``tiny-llama@random_llm`` and its like: small models of every family, with portable random weights and a byte
tokenizer, for tests; and ``llama-3b@random_llm``, of a size that is measured.
"""

import difflib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from fedmezo.core.directions import direction
from fedmezo.core.errors import ModelUnavailableError
from fedmezo.core.randomness import preserved_torch_state, stream_key
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.tokenizers import ByteTokenizer

WEIGHTS_SEED = 0  # of the base model, so that runs of different seeds fine-tune the same one
SCALE = 0.08  # standard deviation of the weights: four times the usual, so that so small a model is not flat

_TOKENS = {
    "vocab_size": ByteTokenizer.vocab_size,
    "bos_token_id": ByteTokenizer.bos_id,
    "eos_token_id": ByteTokenizer.eos_id,
    "pad_token_id": ByteTokenizer.pad_id,
}
_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 2048,
}
_GROUPED = {"num_key_value_heads": 2}
_SLIDING = {"sliding_window": 64, "layer_types": ["sliding_attention", "full_attention"]}

# What sets a family apart is there at this size too: grouped queries (llama, mistral, qwen, gemma), a head size that is
# not hidden size / heads (qwen, gemma), norms of queries and keys (qwen, gemma), tied embeddings (gemma, opt, gpt2),
# learnt positions (opt, gpt2), biases (phi, opt, gpt2), transposed weights (gpt2), a short sliding window (gemma;
# mistral has one in every layer, and a short one would hide a trained prompt from the response).
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "tiny-llama": ("LlamaConfig", _SIZES | _GROUPED),
    "tiny-mistral": ("MistralConfig", _SIZES | _GROUPED | {"sliding_window": 1024}),
    "tiny-qwen": ("Qwen3Config", _SIZES | _GROUPED | {"head_dim": 16}),
    "tiny-gemma": ("Gemma3TextConfig", _SIZES | _GROUPED | _SLIDING | {"head_dim": 16}),
    "tiny-phi": ("PhiConfig", _SIZES),
    "tiny-opt": ("OPTConfig", _SIZES | {"ffn_dim": 64}),
    "tiny-gpt2": ("GPT2Config", {"n_embd": 32, "n_inner": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048}),
}

LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "llama-3b": (  # the shape of OpenLLaMA 3B: 3,426,473,600 parameters
        "LlamaConfig",
        {
            "vocab_size": 32000,
            "hidden_size": 3200,
            "intermediate_size": 8640,
            "num_hidden_layers": 26,
            "num_attention_heads": 32,
            "max_position_embeddings": 2048,
        },
    ),
}


@register("random_llm")
def random_llm(name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
    """Build a model whose weights are a function of the flat index alone, on a device if ``device_map`` is one.

    Raises:
        ModelUnavailableError: no recipe of that name.
    """
    del cache  # there is nothing to fetch
    if name not in (recipes := MODELS | LARGE):
        nearest = difflib.get_close_matches(name, recipes, n=1, cutoff=0.0)[0]
        raise ModelUnavailableError(
            f"model.type = {name}@random_llm\n    there is no such recipe; the nearest is {nearest}@random_llm"
        )
    kind, sizes = recipes[name]
    config = getattr(transformers, kind)(**_TOKENS | sizes)
    place = torch.device(device_map if device_map.startswith("cuda") else "cpu")  # it is not spread over several
    with preserved_torch_state(), place if place.type == "cuda" else nullcontext():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)  # buffers stay in fp32, as on loading
    model.name_or_path = f"{name}@random_llm"
    _fill(model)
    return BaseModel(model.eval(), ByteTokenizer())


@torch.no_grad()
def _fill(model: torch.nn.Module) -> None:
    """Give matrices portable N(0, SCALE**2) values; norms and biases keep their ones and zeros."""
    key = stream_key(WEIGHTS_SEED, "init")
    offset = 0
    for _, parameter in sorted(model.named_parameters()):
        if parameter.ndim > 1:
            place = parameter.device
            values = direction(key, offset, offset + parameter.numel(), device=place).mul_(SCALE)
            parameter.copy_(values.view_as(parameter))
        offset += parameter.numel()
