"""Blocks: disjoint parts of the parameters. A direction may be inside one of them, and is zero elsewhere.

Which block that is, its stream key says: the remainder by the number of blocks.
"""

from dataclasses import dataclass

_LIMIT = 1 << 63  # of stream keys


@dataclass(frozen=True)
class BlockOrder:
    """Which blocks the directions of a run are in.

    Args:
        count: how many blocks there are.
        used: those that directions are in, ascending.
        drawn: whether they are drawn; else they take turns, from query to query, step to step and client to client.
    """

    count: int = 1
    used: tuple[int, ...] = (0,)
    drawn: bool = False

    def block(self, key: int, turn: int) -> int:
        """Return the block of a direction.

        Args:
            key: its stream key, before :func:`in_block`.
            turn: its number, counting queries, steps and rounds.
        """
        return self.used[(key // self.count if self.drawn else turn) % len(self.used)]


ONE_BLOCK = BlockOrder()


def in_block(key: int, block: int, blocks: int) -> int:
    """Return the stream key of a direction in a block, made of any one.

    Args:
        key: 63 bits.
        block: 0 <= block < blocks.
        blocks: how many there are; with one, the key stays.

    Examples:
        >>> in_block(1234, 3, 10), in_block(1234, 0, 1)
        (1233, 1234)
    """
    return key if blocks == 1 else key % (_LIMIT - blocks) // blocks * blocks + block


def block_of(key: int, blocks: int) -> int:
    """Return the block that a direction is in.

    Examples:
        >>> block_of(in_block(1234, 3, 10), 10)
        3
    """
    return key % blocks
