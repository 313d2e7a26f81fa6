"""A model once more without its memory: modules of its own around the same tensors."""

import copy
from typing import Any, TypeVar

from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def twin(model: Model) -> Model:
    """Return a copy of a model whose parameters and buffers share their memory with the model's.

    What is attached to either, or trained in place of a shared tensor, is not in the other.
    """
    shared: dict[int, Any] = {id(buffer): buffer for buffer in model.buffers()}
    for parameter in model.parameters():
        shared[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
    return copy.deepcopy(model, shared)
