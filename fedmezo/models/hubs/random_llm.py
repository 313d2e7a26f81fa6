"""``tiny-llama@random_llm``: a small model with portable random weights and a byte tokenizer, for tests."""

import difflib
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from fedmezo.errors import ModelUnavailableError
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.tokenizers import ByteTokenizer
from fedmezo.randomness import preserved_torch_state, stream_key
from fedmezo.zeroth_order.directions import direction

WEIGHTS_SEED = 0  # of the base model, so that runs of different seeds fine-tune the same one

TINY_LLAMA = {
    "vocab_size": ByteTokenizer.vocab_size,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": ByteTokenizer.bos_id,
    "eos_token_id": ByteTokenizer.eos_id,
    "pad_token_id": ByteTokenizer.pad_id,
}
MODELS = {"tiny-llama": TINY_LLAMA}


@register("random_llm")
def random_llm(name: str, *, dtype: torch.dtype, cache: Path) -> BaseModel:
    """Build a model whose weights are a function of the flat index alone.

    Raises:
        ModelUnavailableError: no recipe of that name.
    """
    del cache
    if name not in MODELS:
        nearest = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.0)[0]
        raise ModelUnavailableError(
            f"model.type = {name}@random_llm\n    there is no such recipe; the nearest is {nearest}@random_llm"
        )
    config = LlamaConfig(**MODELS[name])
    with preserved_torch_state():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)  # buffers stay in fp32, as on loading
    model.name_or_path = f"{name}@random_llm"
    _fill(model, scale=4 * config.initializer_range)
    return BaseModel(model, ByteTokenizer())


@torch.no_grad()
def _fill(model: torch.nn.Module, scale: float) -> None:
    """Give matrices portable N(0, scale**2) values; norms and biases keep their ones and zeros."""
    key = stream_key(WEIGHTS_SEED, "init")
    offset = 0
    for _, parameter in sorted(model.named_parameters()):
        if parameter.ndim > 1:
            values = direction(key, offset, offset + parameter.numel()).mul_(scale)
            parameter.copy_(values.view_as(parameter))
        offset += parameter.numel()
