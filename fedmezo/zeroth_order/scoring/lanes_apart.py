"""A module that computes for all lanes of a forward, some of which have parameters of their own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fedmezo.core.directions.scaled import Directions
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.ascent import Ascent
from fedmezo.zeroth_order.scoring.pair_split import UnsplittableError, rows_of

Inside = Mapping[int, Lane]  # lanes that are inside a block, by position among those of a forward


def by_block(lanes: Sequence[Lane], directions: Directions) -> dict[int, dict[int, Lane]]:
    """Return the perturbed lanes of a forward by block and position."""
    inside: dict[int, dict[int, Lane]] = {}
    for position, lane in enumerate(lanes):
        if lane.scale:
            inside.setdefault(directions.block(lane.key), {})[position] = lane
    return inside


def apart(module: nn.Module, perturbed: Mapping[int, Callable[..., Any]], ascent: Ascent) -> Callable[..., Any]:
    """Return a module's forward pass for all lanes: its own, but for some lanes others.

    Args:
        module: given rows lane by lane, or one row for all of them.
        perturbed: the forward passes of some lanes, by position.
        ascent: says how many lanes there are.
    """
    plain = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        every = check_lane_rows(module, (*args, *kwargs.values()), ascent)
        one = every // ascent.lanes  # rows of a lane; none where all lanes are given the same
        found = []
        for lanes, position in _portions(ascent.lanes, perturbed):
            compute = plain if position is None else perturbed[position]
            own = slice(lanes.start * one, lanes.stop * one) if one else slice(None)
            output = compute(*rows_of(args, own, every), **rows_of(kwargs, own, every))
            found.append(output if one else _expanded(output, len(lanes) * ascent.examples))
        return _together(found)

    return forward


def check_lane_rows(module: nn.Module, values: Sequence[Any], ascent: Ascent) -> int:
    """Return how many rows a module is given, which are those of some lanes, or one for all of them.

    Raises:
        UnsplittableError: they are others.
    """
    every = len(next(each for each in values if isinstance(each, Tensor)))
    if every not in {1, ascent.lanes, ascent.lanes * ascent.examples}:
        raise UnsplittableError(f"{type(module).__name__} takes other rows than examples")
    return every


def _portions(lanes: int, inside: Iterable[int]) -> Iterator[tuple[range, int | None]]:
    """Yield the positions of lanes that compute together, in order, and of one inside the block which it is."""
    start = 0
    for position in sorted(inside):
        if start < min(position, lanes):
            yield range(start, min(position, lanes)), None
        if position < lanes:
            yield range(position, position + 1), position
        start = position + 1
    if start < lanes:
        yield range(start, lanes), None


def _expanded(output: Tensor, rows: int) -> Tensor:
    return output.expand(rows, *output.shape[1:])


def _together(found: list[Any]) -> Any:
    """Return the outputs of lanes as one."""
    if isinstance(found[0], tuple):
        return tuple(_together(list(each)) for each in zip(*found, strict=True))
    if not isinstance(found[0], Tensor):
        return found[0]
    dtype = torch.float32 if any(each.dtype == torch.float32 for each in found) else found[0].dtype
    return found[0] if len(found) == 1 else torch.cat([each.to(dtype) for each in found])
