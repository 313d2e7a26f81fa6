"""The decoder layers of a model, compiled: their elementwise work becomes a few loops around the matrix products.

One layer is compiled, with dynamic shapes, and serves all layers and lengths; that takes seconds once, and is kept in
torch's own cache. Results differ from uncompiled ones by rounding.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from fedmezo.core.errors import ResourceError
from fedmezo.zeroth_order.scoring.forward_override import forward_override


class CompiledLayers:
    """The layers of a model with a compiled forward pass beside their own.

    Args:
        model: its layers are what transformers can checkpoint one by one.
        but: layers that stay as they are.

    Raises:
        ResourceError: there is no compiler for the model's device, or no such layer.
    """

    def __init__(self, model: nn.Module, but: Sequence[nn.Module] = ()) -> None:
        device = next(model.parameters()).device
        compiler = os.environ.get("CXX") or "g++"  # what torch takes
        if device.type == "cpu" and not _runs(compiler):
            raise ResourceError(
                f"train.compile = True\n    there is no C++ compiler ({compiler}): install g++, or name another in "
                "CXX, or set train.compile False"
            )
        layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
        if not layers:
            raise ResourceError(
                "train.compile = True\n    the model has no layers that could be compiled; set it False"
            )
        self._forwards: dict[nn.Module, Callable[..., Any]] = {
            layer: torch.compile(layer.forward, dynamic=True) for layer in layers if layer not in but
        }

    @contextmanager
    def used(self) -> Iterator[None]:
        """Have the layers compute with their compiled forward passes inside the block."""
        with ExitStack() as stack:
            for layer, forward in self._forwards.items():
                stack.enter_context(forward_override(layer, forward))
            yield


def _runs(command: str) -> bool:
    try:
        return subprocess.run([command, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
