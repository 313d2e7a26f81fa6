"""How parameters are divided into blocks, as the theory sees it: where each block is, and which layer it begins at."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fedmezo.core.directions.blocks import ONE_BLOCK, BlockOrder
from fedmezo.models.blocks import Blocks
from fedmezo.models.flat_parameters import FlatParameters


@dataclass(frozen=True)
class Division:
    """Blocks of the flat index.

    Args:
        runs: (start, stop, block), covering it in order.
        starts: the layer that each block begins at; see :class:`fedmezo.models.blocks.Blocks`.
        layers: of the model, L.
        order: which blocks directions are in, and when.
    """

    runs: tuple[tuple[int, int, int], ...]
    starts: tuple[int, ...]
    layers: int
    order: BlockOrder

    @property
    def count(self) -> int:
        """Number of blocks B."""
        return len(self.starts)

    @property
    def sizes(self) -> list[int]:
        """Number of parameters of each block."""
        return [sum(stop - start for start, stop, own in self.runs if own == block) for block in range(self.count)]

    def share(self, block: int) -> float:
        """Return which share of the layers a forward takes that begins at a block."""
        return (self.layers - max(0, self.starts[block])) / self.layers

    def sums(self, values: Tensor) -> Tensor:
        """Return the sums over each block of values [..., d]: [..., B]."""
        found = values.new_zeros((*values.shape[:-1], self.count))
        for start, stop, block in self.runs:
            found[..., block] += values[..., start:stop].sum(dim=-1)
        return found

    def restricted(self, values: Tensor, block: int) -> Tensor:
        """Return the part of values [..., d] that is in a block."""
        if self.count == 1:
            return values
        return torch.cat([values[..., start:stop] for start, stop, own in self.runs if own == block], dim=-1)

    def apart(self, vector: Tensor) -> Tensor:
        """Return a vector [d] as one vector for each block, zero elsewhere [B, d]."""
        found = vector.new_zeros((self.count, len(vector)))
        for start, stop, block in self.runs:
            found[block, start:stop] = vector[start:stop]
        return found


def whole(size: int) -> Division:
    """Return the division of d parameters that is none: one block, which begins at the bottom."""
    return Division(((0, size, 0),), (0,), 1, ONE_BLOCK)


def divided(parameters: FlatParameters, blocks: Blocks, layers: int, order: BlockOrder) -> Division:
    """Return the division of a model's parameters into blocks."""
    return Division(tuple(parameters.runs(lambda span: blocks.of[span.name])), blocks.starts, layers, order)
