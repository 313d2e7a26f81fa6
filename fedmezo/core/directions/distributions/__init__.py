"""Distributions of directions: from portable bits to values. One file a distribution.

What is here is the definition, in torch operations. A distribution may have compiled kernels of the same bits besides
(:data:`fedmezo.core.directions.task.COMPILED`); one without them goes through the definition on every device.
"""

from typing import Protocol

from torch import Tensor

from fedmezo.core.registry import Registry


class Distribution(Protocol):
    """The contract of a distribution, of mean 0 and variance 1; its constructor takes no arguments.

    Attributes:
        per_block: values that the four words of a block give, at least 1.
        kurtosis: mean of the fourth power of a value: 3 for a Gaussian.
    """

    per_block: int
    kurtosis: float

    def values(self, words: Tensor) -> Tensor:
        """Return the values of some blocks, each a function of the words of its own block alone.

        To be the same on every device it is made of integers, of look-ups, and of single fp32 additions and
        multiplications: functions such as ``log`` and ``cos`` differ between libraries in the last bit.

        Args:
            words: int64 [blocks, 4], uniform on 0 .. 2**32 - 1.

        Returns:
            fp32 [blocks, per_block].
        """
        ...


registry: Registry[type[Distribution]] = Registry(
    "distribution of directions", __name__, needs=("values", "per_block", "kurtosis")
)
register = registry.register
