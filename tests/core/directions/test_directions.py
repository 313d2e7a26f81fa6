"""Directions against an independent implementation, published vectors, and their statistics."""

import hashlib
import itertools
import json
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.directions import direction
from fedmezo.core.directions.philox import philox
from fedmezo.core.directions.quantile_table import quantile_table

SMALL = [
    vector
    for vector in json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
    if "size" not in vector
]
MASK = 0xFFFFFFFF
keys = st.integers(0, 2**63 - 1)


def reference_block(key: int, block: int) -> list[int]:
    """Philox4x32-10 in Python integers, after the paper's definition."""
    c = [block & MASK, block >> 32, 0, 0]
    k = [key & MASK, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def reference_gaussian(word: int) -> np.float32:
    """The value of a 32-bit word, with the cell found by bit lengths and its edges computed afresh."""
    v = word & 0x7FFFFFFF
    shift = max(v.bit_length() - 7, 0)
    low = (v >> shift) << shift
    start, end = (-NormalDist().inv_cdf((edge + 0.5) / 2**32) for edge in (low, low + (1 << shift)))
    slope = np.float32((end - start) / (1 << shift))
    magnitude = np.float32(np.float32(slope * np.float32(v - low)) + np.float32(start))
    return -magnitude if word >> 31 else magnitude


def test_philox_gives_the_published_words() -> None:
    # known answers of the authors' Random123 library for a zero counter and key
    assert philox(0, 0, 1)[0].tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@given(key=keys, block=st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_philox_equals_the_definition(key: int, block: int) -> None:
    assert philox(key, block, 2).tolist() == [reference_block(key, block), reference_block(key, block + 1)]


@given(key=keys, start=st.integers(0, 10**9))
@settings(max_examples=20, deadline=None)
def test_gaussian_equals_the_definition(key: int, start: int) -> None:
    wanted = [reference_gaussian(reference_block(key, i // 4)[i % 4]) for i in range(start, start + 9)]
    assert direction(key, start, start + 9).tolist() == [float(value) for value in wanted]


@given(key=keys, start=st.integers(0, 10**9))
@settings(max_examples=20, deadline=None)
def test_rademacher_equals_the_definition(key: int, start: int) -> None:
    bits = [reference_block(key, i // 128)[i // 32 % 4] >> i % 32 & 1 for i in range(start, start + 40)]
    assert direction(key, start, start + 40, "rademacher").tolist() == [1.0 - 2.0 * bit for bit in bits]


@pytest.mark.parametrize("vector", SMALL, ids=lambda vector: f"{vector['distribution']}-{vector['key']}")
def test_committed_vectors(vector: dict[str, object]) -> None:
    key, distribution = int(str(vector["key"])), vector["distribution"]
    assert distribution in ("gaussian", "rademacher")
    values = direction(key, 0, 100_000, distribution)
    assert [float.hex(value) for value in values[:8].tolist()] == vector["first"]
    digest = hashlib.blake2b(values.numpy().astype("<f4").tobytes(), digest_size=16).hexdigest()
    assert digest == vector["digest"]


@given(key=keys, cuts=st.lists(st.integers(0, 3000), min_size=1, max_size=5), start=st.integers(0, 5000))
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
def test_chunking_does_not_matter(distribution: str, key: int, cuts: list[int], start: int) -> None:
    edges = sorted({start, start + 3000, *(start + cut for cut in cuts)})
    parts = [direction(key, a, b, distribution) for a, b in itertools.pairwise(edges)]
    assert torch.equal(torch.cat(parts), direction(key, start, start + 3000, distribution))


def test_gaussian_moments_and_distribution() -> None:
    z = direction(11, 0, 1 << 21).double()
    n = z.numel()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((z**power).mean().item() - moment) < 4.5 * math.sqrt(variance / n), power
    ranked = torch.special.ndtr(z.sort().values)
    gap = (ranked - (torch.arange(n, dtype=torch.float64) + 0.5) / n).abs().max().item()
    assert gap < 1.63 / math.sqrt(n)  # Kolmogorov-Smirnov at 1 %


def test_directions_are_uncorrelated() -> None:
    n = 1 << 18
    rows = torch.stack([direction(key, 0, n) for key in range(6)]).double()
    products = (rows @ rows.T / n - torch.eye(6)).abs()
    assert products.max().item() < 5 * math.sqrt(2 / n)
    neighbours = (rows[0][1:] * rows[0][:-1]).mean().abs().item()
    assert neighbours < 5 / math.sqrt(n)


def test_the_table_follows_the_exact_quantile() -> None:
    """Inside every cell the documented bound of 3e-5 holds."""
    values, slopes = quantile_table()
    for cell, (value, slope) in enumerate(zip(values.tolist(), slopes.tolist(), strict=True)):
        shift = max(cell // 64 - 1, 0)
        first = cell if cell < 64 else (64 + cell % 64) << shift
        middle = (1 << shift) // 2
        exact = -NormalDist().inv_cdf((first + middle + 0.5) / 2**32)
        assert abs(value + slope * middle - exact) < 3e-5, cell
