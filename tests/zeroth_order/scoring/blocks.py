"""Blocks of tiny models, and directions inside of them."""

from fedmezo.core.directions.blocks import in_block
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.models.blocks import Blocks, divide_into_blocks
from tests.models.tiny import Tuned


def blocks_of(model: Tuned, count: int = 2) -> tuple[Blocks, Directions]:
    """Return the blocks of a model's layers, and what besides is one, with directions inside of them."""
    blocks = divide_into_blocks(model.model, model.parameters, count)
    runs = model.parameters.runs(lambda span: blocks.of[span.name])
    parts = tuple(Part(start, stop, 1.0, block) for start, stop, block in runs)
    return blocks, Directions("gaussian", parts, len(blocks.starts))


def keys(count: int, blocks: int) -> list[int]:
    """Return keys of directions in one block after the other."""
    return [in_block(1000 + 17 * number, number % blocks, blocks) for number in range(count)]
