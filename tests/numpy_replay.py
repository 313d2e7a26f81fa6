"""A second implementation of keys, directions, initial values and replay, in numpy and the standard library alone."""

import hashlib
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def key(seed: int, purpose: str, t: int = -1, client: int = -1, step: int = -1, query: int = -1) -> int:
    """The stream key of numerics.md."""
    packed = struct.pack("<q16sqqqq", seed, purpose.encode(), t, client, step, query)
    return int.from_bytes(hashlib.blake2b(packed).digest()[:8], "little") & ((1 << 63) - 1)


def words(stream: int, size: int) -> np.ndarray:
    """Philox4x32-10 words of blocks 0, 1, ..., uint64 [size]."""
    c0 = np.arange(-(-size // 4), dtype=np.uint64)
    c1, c2, c3 = np.zeros_like(c0), np.zeros_like(c0), np.zeros_like(c0)
    k0, k1 = stream & 0xFFFFFFFF, stream >> 32
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1 = (p1 >> HALF) ^ c1 ^ np.uint64(k0), p1 & MASK
        c2, c3 = (p0 >> HALF) ^ c3 ^ np.uint64(k1), p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).reshape(-1)[:size]


def gaussian(stream: int, size: int) -> np.ndarray:
    """z(key)[0:size], fp32."""
    word = words(stream, size)
    v = (word & np.uint64(0x7FFFFFFF)).astype(np.int64)
    shift = np.maximum(np.frexp(v.astype(np.float64))[1] - 7, 0)
    low = (v >> shift) << shift
    lows, cell = np.unique(low, return_inverse=True)  # of a cell each
    ends = lows + (1 << np.maximum(np.frexp(lows.astype(np.float64))[1] - 7, 0))
    start, end = (
        np.array([-NormalDist().inv_cdf((v + 0.5) / 2**32) for v in edges]) for edges in (lows.tolist(), ends.tolist())
    )
    slope = ((end - start) / (ends - lows)).astype(np.float32)[cell]
    magnitude = slope * (v - low).astype(np.float32) + start.astype(np.float32)[cell]
    return np.asarray(np.where(word >> np.uint64(31) == 1, -magnitude, magnitude))


def rademacher(stream: int, size: int) -> np.ndarray:
    """z(key)[0:size], fp32."""
    bits = (words(stream, -(-size // 32))[:, None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
    return (1.0 - 2.0 * bits.reshape(-1)[:size]).astype(np.float32)


def widened(bits: np.ndarray) -> np.ndarray:
    """The fp32 values that bits of bf16 (uint16) are."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def halved(values: np.ndarray, stream: int) -> np.ndarray:
    """fp32 values as bits of bf16, rounded stochastically; the first has the flat index 0."""
    bits, word = values.view(np.uint32).astype(np.uint64), words(stream, -(-len(values) // 2))
    draws = np.stack([word & np.uint64(0xFFFF), word >> np.uint64(16)], axis=1).reshape(-1)[: len(values)]
    size = bits & np.uint64(0x7FFFFFFF)
    found = np.where(size < 0x7F7F0000, bits + draws, bits) >> np.uint64(16)
    return np.where(size > 0x7F800000, found | np.uint64(64), found).astype(np.uint16)


def initial(seed: int, shapes: dict[str, tuple[int, ...]]) -> np.ndarray:
    """The initial LoRA parameters in flat order: A uniform within 1/sqrt(fan in), B zero."""
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    uniform = ((words(key(seed, "init"), size) >> np.uint64(8)).astype(np.int64) - (1 << 23)).astype(np.float32)
    point, start = uniform * np.float32(2.0**-23), 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        if ".lora_A." in name:
            point[start:stop] *= np.float32(shape[1] ** -0.5)
        else:
            point[start:stop] = 0.0  # not times zero, which would leave -0.0
        start = stop
    return np.asarray(point)


def replay(
    point: np.ndarray,
    rounds: Sequence[Mapping[str, Any]],
    configuration: Mapping[str, Any],
    layout: Mapping[str, tuple[int, ...]],
) -> np.ndarray:
    """Return the parameters after some rounds, fp32 [d], or the bits of bf16 (uint16) where they were given.

    Args:
        point: the parameters before them.
        rounds: of ledger_reader.read.
        configuration: of the ledger's header.
        layout: shape of each trainable tensor by its name, in flat order.
    """
    for row in rounds:
        point = _after(point, row, configuration, layout)
    return point


def _after(
    point: np.ndarray, row: Mapping[str, Any], configuration: Mapping[str, Any], layout: Mapping[str, tuple[int, ...]]
) -> np.ndarray:
    """The parameters after one round."""
    if row["digest"] is not None:
        raise ValueError("weights travelled: there are no scalars to rebuild the round from")
    total = sum(client["weight"] for client in row["clients"])
    if total == 0:
        return point
    decays = _by_element(layout, lambda name, shape: float(len(shape) > 1)).astype(bool)
    scales = _by_element(layout, lambda name, shape: _scale(name, configuration["zo.scales"]))
    start = widened(point) if point.dtype == np.uint16 else point
    decay, summed, factor = configuration["train.optimizer.weight_decay"], np.zeros_like(start), 0.0
    for client in row["clients"]:
        share, horizon = client["weight"] / total, len(client["gradients"])
        keep = 1.0 - client["learning_rate"] * decay
        factor += share * keep**horizon
        for (step, query), g in np.ndenumerate(client["gradients"]):
            plain = -(share * client["learning_rate"] * float(g)) / client["gradients"].shape[1]
            late = plain * keep ** (horizon - 1 - step)
            c = np.where(decays, np.float32(late), np.float32(plain))
            z = _direction(configuration, row["round"], client["client"], step, query, len(point))
            summed = summed + (c * scales).astype(np.float32) * z
    kept = np.where(decays, np.float32(factor if decay else 1.0), np.float32(1.0))
    after = np.asarray(kept * start + summed)
    return halved(after, key(configuration["seed"], "rounding", row["round"])) if point.dtype == np.uint16 else after


def _direction(configuration: Mapping[str, Any], t: int, client: int, step: int, query: int, size: int) -> np.ndarray:
    seed = configuration["seed"] if configuration["zo.seed"] is None else configuration["zo.seed"]
    who = -1 if configuration["zo.directions"] == "shared" else client
    draw = gaussian if configuration["zo.distribution"] == "gaussian" else rademacher
    return draw(key(seed, "direction", t, who, step, query), size)


def _scale(name: str, scales: Sequence[Mapping[str, Any]]) -> float:
    """The scale of the first entry whose name is in the tensor's."""
    return next((float(entry["scale"]) for entry in scales if entry["name"] in name), 1.0)


def _by_element(layout: Mapping[str, tuple[int, ...]], value: Callable[[str, tuple[int, ...]], float]) -> np.ndarray:
    """A value of each tensor, fp64 [d]."""
    return np.concatenate([np.full(math.prod(shape), value(name, shape)) for name, shape in layout.items()])
