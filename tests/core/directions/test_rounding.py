"""Stochastic rounding to bf16: unbiased, exact where it can be, and the same bits in every implementation."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fedmezo.core import directions
from fedmezo.core.directions import accumulate, numba_kernel, torch_kernel
from fedmezo.core.directions.task import Task
from tests import numpy_replay
from tests.example_counts import examples

VECTORS = json.loads((Path(__file__).parent / "rounding.json").read_text(encoding="utf-8"))
DISTRIBUTIONS: tuple[str, ...] = ("gaussian", "rademacher")
keys = st.integers(0, 2**63 - 1)
patterns = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=300)  # of fp32: also infinite, none, subnormal


def values_of(bits: list[int]) -> Tensor:
    return torch.from_numpy(np.array(bits, dtype=np.uint32).view(np.int32)).view(torch.float32)


def bits_of(half: Tensor) -> list[int]:
    return [bits & 0xFFFF for bits in half.view(torch.int16).tolist()]


def rounded(values: Tensor, key: int | None, start: int = 0) -> Tensor:
    """Round with the kernel."""
    found = torch.empty(len(values), dtype=torch.bfloat16)
    accumulate(found, [], [], start=start, source=values, rounding=key)
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["key"]))
def test_committed_vectors(vector: dict[str, object]) -> None:
    key = int(str(vector["key"]))
    values = torch.tensor([float.fromhex(each) for each in str(vector["values"]).split()])
    wanted = [int(each, 16) for each in str(vector["bits"]).split()]
    assert bits_of(rounded(values, key)) == bits_of(torch_kernel.halved(values, 0, key)) == wanted
    assert numpy_replay.halved(values.numpy(), key).tolist() == wanted


@given(key=keys, bits=patterns, start=st.integers(0, 5000))
@settings(max_examples=examples(200), deadline=None)
def test_every_implementation_gives_the_same_bits_for_whatever_fp32_holds(
    key: int, bits: list[int], start: int
) -> None:
    values = values_of(bits)
    padded = torch.cat([torch.zeros(start), values])
    wanted = numpy_replay.halved(padded.numpy(), key)[start:].tolist()
    assert bits_of(rounded(values, key, start)) == bits_of(torch_kernel.halved(values, start, key)) == wanted


@pytest.mark.parametrize("key", [None, 7])
def test_what_is_no_number_stays_none(key: int | None) -> None:
    """Also where only bits are set that bf16 does not have: cut off, they would be those of an infinity."""
    values = values_of([0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F80FFFF, 0x7FC00000] * 40)
    assert rounded(values, key).isnan().all() and torch_kernel.halved(values, 0, key).isnan().all()
    assert bits_of(rounded(values, key)) == bits_of(torch_kernel.halved(values, 0, key))


@given(key=keys, bits=patterns)
@settings(max_examples=examples(200), deadline=None)
def test_a_value_goes_to_one_of_its_neighbours_and_what_is_exact_stays(key: int, bits: list[int]) -> None:
    for value, found in zip(values_of(bits).tolist(), rounded(values_of(bits), key).tolist(), strict=True):
        if math.isnan(value) or math.isinf(value):
            assert str(found) == str(value)
            continue
        below, above = sorted((_truncated(value), _next(value)))
        assert below <= value <= above or math.isinf(above) or math.isinf(below)
        assert found in (below, above) and math.isfinite(found)
        assert found == value or value != _truncated(value)


def _truncated(value: float) -> float:
    bits = int(np.float32(value).view(np.uint32)) & 0xFFFF0000
    return float(np.uint32(bits).view(np.float32))


def _next(value: float) -> float:
    """The bf16 after the one that a value is cut off to, away from zero."""
    bits = (int(np.float32(value).view(np.uint32)) & 0xFFFF0000) + 0x10000
    return float(np.uint32(bits).view(np.float32))


@given(st.integers(0, 0x7F7EFFFF), st.sampled_from([0, 1 << 31]))
@settings(max_examples=examples(300), deadline=None)
def test_as_many_of_all_draws_go_up_as_keep_the_mean(size: int, sign: int) -> None:
    """Of the 2**16 numbers that may be drawn, each equally likely: the mean of the results is the value, exactly."""
    bits, draws = sign | size, np.arange(1 << 16)
    assert ((bits + draws) >> 16).mean() * 2**16 == bits


@pytest.mark.parametrize("value", [1.001, -0.0173, 3e-5, -1.0 - 2.0**-23, 1e-40, 0.1])
def test_the_mean_of_many_roundings_is_the_value(value: float) -> None:
    count = 1 << 20
    values = torch.full((count,), value)
    found = rounded(values, 12).double()
    below, above = sorted((_truncated(value), _next(value)))
    deviation = (above - below) / 2 / math.sqrt(count)
    assert abs(float(found.mean()) - float(values[0])) < 5 * deviation
    assert set(found.tolist()) <= {below, above}


def test_draws_are_uniform_and_independent_of_their_neighbours() -> None:
    draws = torch_kernel._halves(5, 3, 1 << 22, torch.device("cpu")).numpy()
    counts = np.bincount(draws, minlength=1 << 16)
    square = float(((counts - 64.0) ** 2 / 64.0).sum())  # chi-square of 65,535 degrees of freedom
    assert abs(square - 65_535) < 5 * math.sqrt(2 * 65_535)
    centred = draws - 32_767.5
    for distance in (1, 2, 8):
        correlation = float((centred[distance:] * centred[:-distance]).mean()) / (2.0**32 / 12)
        assert abs(correlation) < 5 / math.sqrt(len(draws))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("factor", [None, 0.75])
@pytest.mark.parametrize("rounding", [None, 9])
def test_neither_chunks_nor_threads_nor_the_implementation_matter(
    distribution: str, factor: float | None, rounding: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, start = 300_007, 11
    theta = directions.direction(1, 0, size).bfloat16()
    terms = (5, 6), (float(np.float32(1e-3)), -0.25)
    wanted = torch.empty_like(theta)
    torch_kernel.accumulate(Task(wanted, theta, factor, *terms, distribution, start, None, rounding))
    for threads in (1, 2, 3):
        found = torch.empty_like(theta)
        numba_kernel.accumulate(Task(found, theta, factor, *terms, distribution, start, None, rounding), threads)
        assert bits_of(found) == bits_of(wanted)
    own = theta.clone()
    for begin, end in itertools.pairwise([0, 1, 130, 4097, 65_536, 200_001, size]):
        accumulate(own[begin:end], *terms, distribution, start + begin, factor=factor, rounding=rounding)
    assert bits_of(own) == bits_of(wanted)
    monkeypatch.setattr(directions, "numba_kernel", None)
    accumulate(theta, *terms, distribution, start, factor=factor, rounding=rounding)
    assert bits_of(theta) == bits_of(wanted)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_without_a_key_it_is_to_nearest_as_torch_rounds(distribution: str) -> None:
    theta = directions.direction(1, 0, 5000).bfloat16()
    exact = theta.float()
    accumulate(exact, [3], [0.5], distribution, 7)
    accumulate(theta, [3], [0.5], distribution, 7)
    assert torch.equal(theta, exact.bfloat16())


def test_a_half_precision_source_is_read_exactly() -> None:
    theta = directions.direction(1, 0, 5000).bfloat16()
    found, mirror, wanted, below = (torch.empty(5000) for _ in range(4))
    accumulate(found, [3], [1e-3], source=theta, factor=1.0, mirror=mirror)
    accumulate(wanted, [3], [1e-3], source=theta.float(), factor=1.0, mirror=below)
    assert torch.equal(found, wanted) and torch.equal(mirror, below)
    with pytest.raises(ValueError, match="which is not bf16"):
        accumulate(theta, [3], [1e-3], factor=1.0, mirror=mirror)
    with pytest.raises(ValueError, match="expected a contiguous fp32 vector"):
        accumulate(theta, [3], [1e-3], source=theta.double())


if __name__ == "__main__":  # prints the committed vectors, from numpy
    draw, rows = np.random.default_rng(0), []
    for number in (0, 1, 2**63 - 1):
        chosen = np.concatenate([draw.normal(size=12), draw.normal(size=4) * 1e-40, [1.0, -1.0, 0.0, 3.3999e38]])
        fp32 = chosen.astype(np.float32)
        half = " ".join(f"{each:04x}" for each in numpy_replay.halved(fp32, number).tolist())
        rows.append({"key": str(number), "values": " ".join(map(float.hex, fp32.tolist())), "bits": half})
    print(json.dumps(rows, indent=1))
