"""Packing of records and messages: little-endian structures, read with every length checked before it is believed."""

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.errors import MalformedError

MOST = (1 << 32) - 1


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

    def count(self) -> int:
        """Return a whole number (LEB128: seven bits a byte, the lowest first; the top bit says that more follow)."""
        value, shift = 0, 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 32:
                raise MalformedError("a number that is too large")
        if value > MOST or (byte == 0 and shift > 7):
            raise MalformedError("a number that is too large, or longer than it has to be")
        return value

    def number(self) -> float:
        """Return an fp64 value; there is one that is not a number."""
        data = self.take(8)
        value = float(struct.unpack("<d", data)[0])
        if math.isnan(value) and data != packed_number(math.nan):
            raise MalformedError("another value that is not a number")
        return value

    def text(self) -> str:
        """Return a text."""
        try:
            return str(self.take(self.count()), "utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("a text that is not UTF-8") from error

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


def packed_count(value: int) -> bytes:
    """Return a whole number of at most :data:`MOST`."""
    if not 0 <= value <= MOST:
        raise OverflowError(f"{value} is no number of a record")
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def packed_number(value: float) -> bytes:
    """Return an fp64 value."""
    return struct.pack("<d", math.nan if math.isnan(value) else value)


def packed_text(value: str) -> bytes:
    """Return a text: the number of its bytes, and these."""
    data = value.encode()
    return packed_count(len(data)) + data


def packed_floats(values: NDArray[np.float32]) -> bytes:
    """Return an array of fp32 values, row by row."""
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def packed_flags(values: NDArray[np.bool_]) -> bytes:
    """Return truth values as bits."""
    return np.packbits(values.reshape(-1), bitorder="little").tobytes()
