"""A tiny model with an adapter, and batches of made-up tokens, for tests that need no data."""

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from fedmezo.core.directions import direction
from fedmezo.data.batches import Batch, collate
from fedmezo.data.encoding import EncodedExamples
from fedmezo.models.adapters import attach_adapter, initial_parameters, methods
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.hubs import load_base_model
from fedmezo.models.hubs.random_llm import MODELS
from fedmezo.models.tokenizers import ByteTokenizer
from fedmezo.zeroth_order.scoring import CopyInScorer, Scorer

NO_CACHE = Path("unused")
FAMILIES = tuple(MODELS)
SMALL: dict[str, dict[str, Any]] = {  # arguments of the methods, of the model's size
    "lora": {"r": 4},
    "prefix": {"num_virtual_tokens": 3},
    "prompt": {"num_virtual_tokens": 3},
    "p-tuning": {"num_virtual_tokens": 3, "encoder_hidden_size": 8},
    "ia3": {},
    "vera": {"r": 4},
    "ln-tuning": {},
}
ROWS = ((3, 5), (1, 9), (6, 2))  # (prompt tokens, response tokens)


@dataclass(frozen=True, eq=False)
class Tuned:
    """A model, its trainable parameters, a point away from the initial one, and the scorer."""

    model: PreTrainedModel | PeftModel
    parameters: FlatParameters
    point: Tensor
    scorer: Scorer


def tiny_base(dtype: torch.dtype = torch.float32, family: str = "tiny-llama") -> PreTrainedModel:
    return load_base_model(f"{family}@random_llm", dtype=dtype, cache=NO_CACHE).model


def initial(parameters: FlatParameters, seed: int = 0, method: str = "lora", prompt: Tensor | None = None) -> Tensor:
    return initial_parameters(parameters, methods.registry[method], seed, prompt)


def tuned(model: PreTrainedModel | PeftModel, method: str = "lora") -> Tuned:
    parameters = FlatParameters(model)
    start = initial(parameters, method=method)
    parameters.buffer.copy_(start)
    return Tuned(model, parameters, start + 0.1 * direction(7, 0, parameters.size), CopyInScorer(model, parameters))


def tiny_adapter(
    method: str, dtype: torch.dtype = torch.float32, family: str = "tiny-llama", **arguments: Any
) -> Tuned:
    model = attach_adapter(tiny_base(dtype, family), {"adapter_method": method, **SMALL[method], **arguments})
    return tuned(model, method)


def tiny_lora(dtype: torch.dtype = torch.float32, **arguments: Any) -> Tuned:
    return tiny_adapter("lora", dtype, **arguments)


def make_batch(*rows: tuple[int, int], first: int = 0) -> Batch:
    """Return a batch of examples with so many (prompt, response) tokens; example i is the same in any batch."""
    lengths = [prompt + response for prompt, response in rows]
    draws = [np.random.Generator(np.random.Philox(key=first + i)).integers(0, 256, n) for i, n in enumerate(lengths)]
    encoded = EncodedExamples(
        np.concatenate(draws).astype(np.int32),
        np.array([0, *accumulate(lengths)]),
        np.array([prompt for prompt, _ in rows], dtype=np.int32),
        np.array(lengths, dtype=np.int32),
    )
    return collate(encoded, np.arange(len(rows)), ByteTokenizer.pad_id)


def bits(model: torch.nn.Module) -> dict[str, bytes]:
    """Return every parameter and buffer as bytes, by name."""
    return {name: tensor.contiguous().view(torch.uint8).numpy().tobytes() for name, tensor in _tensors(model)}


def places(model: torch.nn.Module) -> dict[str, tuple[int, int]]:
    """Return identity and address of every parameter object, by name."""
    return {name: (id(parameter), parameter.data_ptr()) for name, parameter in model.named_parameters()}


def _tensors(model: torch.nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, t.detach().reshape(-1)) for name, t in (*model.named_parameters(), *model.named_buffers())]
