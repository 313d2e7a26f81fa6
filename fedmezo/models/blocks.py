"""The decoder layers of a model, and their division into blocks of parameters.

A block is some consecutive layers. Parameters that compute before the layers (the embedding, or whatever an adapter has
there) are a block of their own, and so are those after them (the last norm, the head). Where embedding and head are the
same, both are one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from fedmezo.core.errors import ConfigurationError
from fedmezo.models.flat_parameters import FlatParameters

BEFORE = -1  # the place of what computes before the first layer


def causal_model(model: nn.Module) -> Any:
    """Return the language model inside an adapter, or the model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers of a model's decoder, from below."""
    decoder = causal_model(model).get_decoder()
    return [module for module in decoder.modules() if isinstance(module, GradientCheckpointingLayer)]


@dataclass(frozen=True)
class Blocks:
    """The blocks of a model's trainable parameters.

    Args:
        of: the block of each parameter, by name.
        starts: the layer that each block begins at, ascending: :data:`BEFORE`, a layer, or the number of layers.
    """

    of: dict[str, int]
    starts: tuple[int, ...]

    def of_modules(self, model: nn.Module, modules: Iterable[nn.Module]) -> dict[nn.Module, int]:
        """Return the block of each of some modules that hold trainable parameters, all in the same block."""
        names = {id(own): name for name, own in model.named_parameters() if own.requires_grad}
        trained = ((module, [own for own in module.parameters() if own.requires_grad]) for module in modules)
        return {module: self.of[names[id(own[0])]] for module, own in trained if own}


def divide_into_blocks(model: nn.Module, parameters: FlatParameters, count: int) -> Blocks:
    """Divide the layers that hold trainable parameters into ``count`` blocks, as equal as can be.

    Raises:
        ConfigurationError: there are fewer of these layers.
    """
    layers = decoder_layers(model)
    within = {id(own): number for number, layer in enumerate(layers) for own in layer.parameters()}
    trained = {name: own for name, own in model.named_parameters() if own.requires_grad}
    places = {name: within.get(id(own)) for name, own in trained.items()}
    numbers = sorted({place for place in places.values() if place is not None})
    if len(numbers) < count:
        raise ConfigurationError(
            f"zo.blocks = {count}\n    only {len(numbers)} layers of the model hold trainable parameters: "
            f"at most {len(numbers)}"
        )
    first = {number: int(group[0]) for group in np.array_split(numbers, count) for number in group}
    outside = [name for name, place in places.items() if place is None]
    before = set(outside) - set(_only_after_layers(model, layers, outside)) if outside else set()
    start = {
        name: (BEFORE if name in before else len(layers)) if place is None else first[place]
        for name, place in places.items()
    }
    starts = sorted(set(start.values()))
    return Blocks({span.name: starts.index(start[span.name]) for span in parameters.spans}, tuple(starts))


@torch.inference_mode()
def _only_after_layers(model: nn.Module, layers: Sequence[nn.Module], names: Sequence[str]) -> list[str]:
    """Return those of some parameters whose modules compute after the layers only, seen on one token."""
    owners = {
        id(own): [module for module in model.modules() if any(own is each for each in module.parameters(recurse=False))]
        for own in (model.get_parameter(name) for name in names)
    }
    order: list[nn.Module] = []

    def note(module: nn.Module) -> Callable[..., None]:
        return lambda *_: order.append(module)

    watched = [layers[0], layers[-1], *(module for each in owners.values() for module in each)]
    hooks = [module.register_forward_pre_hook(note(module)) for module in {id(m): m for m in watched}.values()]
    try:
        model(input_ids=torch.ones((1, 1), dtype=torch.int64, device=next(model.parameters()).device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    end = order.index(layers[-1])
    early = {id(module) for module in order[:end]} | {id(module) for module in watched if module not in order}
    return [name for name in names if not any(id(m) in early for m in owners[id(model.get_parameter(name))])]
