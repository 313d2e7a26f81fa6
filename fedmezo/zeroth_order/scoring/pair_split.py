"""What a module is given, split into the examples of both signs of a direction, and what it gives, joined again."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

# arguments of decoder layers that have a row for every example, or one for all of them
SPLITTABLE = {"hidden_states", "attention_mask", "causal_mask", "position_ids", "position_embeddings", "cache_position"}


def rows_of(value: Any, rows: slice, every: int) -> Any:
    """Return some examples of a layer's arguments: of each tensor that has a row for every example."""
    if isinstance(value, Tensor):
        return value[rows] if value.ndim > 1 and len(value) == every else value
    if isinstance(value, tuple):
        return tuple(rows_of(each, rows, every) for each in value)
    if isinstance(value, dict):
        return {name: rows_of(each, rows, every) for name, each in value.items()}
    return value


class UnsplittableError(Exception):
    """A layer takes a tensor that may or may not have a row for every example."""


def check_splittable(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Make sure that it is known which of a layer's arguments have a row for every example.

    Raises:
        UnsplittableError: one is not (the position biases of BLOOM and MPT have rows for heads).
    """
    bound = inspect.signature(type(layer).forward).bind(layer, *args, **kwargs).arguments
    rest = bound.pop("kwargs", {})
    for name, value in (bound | rest).items():
        tensors = value if isinstance(value, tuple) else (value,)
        if name not in SPLITTABLE and any(isinstance(each, Tensor) for each in tensors):
            raise UnsplittableError(f"{type(layer).__name__} takes {name}")


def check_rows(module: nn.Module, values: list[Any], known: set[int]) -> None:
    """Make sure that the tensors among a module's arguments have a row for every example of both signs, or for all.

    Raises:
        UnsplittableError: one has not (what experts are given has rows for the tokens that were sent to them).
    """
    if any(isinstance(value, Tensor) and len(value) not in known for value in values):
        raise UnsplittableError(f"{type(module).__name__} takes other rows than examples")


def joined(found: list[Any], examples: int) -> Any:
    """Return the outputs of all signs as one, each with a row for every example of its sign."""
    if len(found) == 1:
        return found[0]
    if isinstance(found[0], Tensor):
        return torch.cat([each.expand(examples, *each.shape[1:]) for each in found])
    if isinstance(found[0], tuple):
        return tuple(joined(list(each), examples) for each in zip(*found, strict=True))
    return found[0]
