"""Packing of records and messages: little-endian structures, read with every length checked before it is believed."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.errors import MalformedError


class Reader:
    """Takes values from the front of some bytes.

    Args:
        data: what is read; not copied.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def take(self, size: int) -> memoryview:
        """Return the next ``size`` bytes.

        Raises:
            MalformedError: there are fewer.
        """
        left = len(self._data) - self._at
        if size > left:
            raise MalformedError(f"{size} bytes expected at byte {self._at}, {left} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Return the values of a structure."""
        return layout.unpack(self.take(layout.size))

    def floats(self, *shape: int) -> NDArray[np.float32]:
        """Return an array of fp32 values."""
        count = 1
        for length in shape:
            count *= length
        return np.frombuffer(self.take(4 * count), dtype="<f4").reshape(shape)

    def flags(self, count: int) -> NDArray[np.bool_]:
        """Return so many truth values, a bit each, the lowest bit of a byte first; the bits left over are 0."""
        bits = np.unpackbits(np.frombuffer(self.take(-(-count // 8)), dtype=np.uint8), bitorder="little")
        if bits[count:].any():
            raise MalformedError("bits that stand for nothing are set")
        return bits[:count].astype(bool)

    def rest(self) -> memoryview:
        """Return all that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Make sure that nothing is left.

        Raises:
            MalformedError: there is.
        """
        if left := len(self._data) - self._at:
            raise MalformedError(f"{left} bytes more than expected")


def packed_floats(values: NDArray[np.float32]) -> bytes:
    """Return an array of fp32 values, row by row."""
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def packed_flags(values: NDArray[np.bool_]) -> bytes:
    """Return truth values as bits."""
    return np.packbits(values.reshape(-1), bitorder="little").tobytes()
