"""An adapter in the weights of its base model: one model, that transformers loads as any other."""

from collections import defaultdict
from typing import Any

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel


def merged(model: PeftModel) -> PreTrainedModel:
    """Return the base model with the adapter in its weights, in place: the adapted model is not to be used any more.

    Weights that several layers share, of which the adapter changes one or each in another way, are given to each layer
    as its own: those of embeddings that are tied to the head, and of layers that ``layer_replication`` repeats.
    """
    _give_own(model)
    whole: PreTrainedModel = model.merge_and_unload()
    return whole


def _give_own(model: PeftModel) -> None:
    base: Any = model.get_base_model()
    ends = {module for end in (base.get_input_embeddings(), base.get_output_embeddings()) for module in end.modules()}
    layers = (module for module in base.modules() if isinstance(module, BaseTunerLayer))
    adapted = {layer.get_base_layer() for layer in layers}
    for owners in _owners(base).values():
        modules = {module for module, _ in owners}
        if modules <= ends and not modules & adapted:
            continue  # tied, and to stay so
        for module, name in owners[1:]:
            own = getattr(module, name).detach().clone()
            setattr(module, name, nn.Parameter(own, requires_grad=False))


def _owners(model: nn.Module) -> dict[int, list[tuple[nn.Module, str]]]:
    """Return the modules that hold each parameter, with its name in them."""
    found = defaultdict(list)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            found[id(parameter)].append((module, name))
    return found
