"""Overriding a module's forward pass for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def forward_override(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Have a module compute with another forward pass inside the block."""
    before = vars(module).get("forward")  # accelerate's, where a model spans devices
    try:
        module.forward = forward
        yield
    finally:
        if before is None:
            vars(module).pop("forward", None)
        else:
            module.forward = before
