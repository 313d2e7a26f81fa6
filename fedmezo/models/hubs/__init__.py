"""Hubs: where base models come from. ``model.type`` is ``NAME@HUB``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from transformers import PreTrainedModel

from fedmezo.core.registry import Registry
from fedmezo.models.hubs.terms import check_terms
from fedmezo.models.tokenizers import ModelTokenizer


@dataclass(frozen=True)
class BaseModel:
    """A causal language model and its tokenizer, as a hub gives them; no parameter requires a gradient yet."""

    model: PreTrainedModel
    tokenizer: ModelTokenizer


class Hub(Protocol):
    """Loads a model by name, directly in the wanted dtype."""

    def __call__(self, name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
        """Return the model; raises ModelUnavailableError if it cannot be had."""
        ...


registry: Registry[Hub] = Registry("model hub", __name__)
register = registry.register


def load_base_model(
    model_type: str, *, dtype: torch.dtype, cache: Path, device_map: str = "", accepted: Sequence[str] = ()
) -> BaseModel:
    """Load ``NAME@HUB``.

    Args:
        model_type: for example ``SmolLM2-135M-Instruct@package_llm``.
        dtype: of the base weights; they are never loaded in another one first.
        cache: folder for what has to be fetched or converted.
        device_map: a device, or how accelerate spreads the model over those that there are; '' for the CPU alone.
        accepted: names of the terms that the user accepts.

    Raises:
        ConfigurationError: the model has terms, and they are not accepted.
        ModelUnavailableError: the hub has no such model, or cannot be reached.
    """
    check_terms(model_type, accepted)
    name, _, hub = model_type.rpartition("@")
    return registry[hub](name, dtype=dtype, cache=cache, device_map=device_map)
