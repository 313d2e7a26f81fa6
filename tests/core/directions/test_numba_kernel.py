"""Every implementation gives the same bits: torch eager, the compiled CPU kernel, and numpy."""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core import directions
from fedmezo.core.directions import accumulate, direction, numba_kernel, torch_kernel
from fedmezo.core.directions.task import Task
from tests import numpy_replay

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
LARGE = [vector for vector in VECTORS if "size" in vector]
DISTRIBUTIONS: tuple[str, ...] = ("gaussian", "rademacher")
keys = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4)
scales = st.floats(-3.0, 3.0, width=32)
distributions = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


@distributions
@given(keys=keys, data=st.data(), start=st.one_of(st.integers(0, 5000), st.integers(2**33, 2**34)))
@settings(max_examples=40, deadline=None)
def test_the_kernel_gives_the_bits_of_eager(
    distribution: str, keys: list[int], data: st.DataObject, start: int
) -> None:
    coefficients = [data.draw(scales) for _ in keys]
    size = data.draw(st.integers(0, 3000))
    first, factor = torch.linspace(-1, 1, size), data.draw(st.none() | scales)
    found, wanted, apart = first.clone(), torch.empty(size), torch.empty(size)
    torch_kernel.accumulate(Task(wanted, first, factor, tuple(keys), tuple(coefficients), distribution, start))
    if factor is not None:
        below, mirror = torch.empty(size), torch.empty(size)
        torch_kernel.accumulate(
            Task(wanted, first, factor, tuple(keys), tuple(coefficients), distribution, start, below)
        )
        accumulate(found.clone(), keys, coefficients, distribution, start, factor=factor, mirror=mirror)
        assert mirror.numpy().tobytes() == below.numpy().tobytes()
    accumulate(apart, keys, coefficients, distribution, start, source=first, factor=factor)
    accumulate(found, keys, coefficients, distribution, start, factor=factor)
    assert found.numpy().tobytes() == apart.numpy().tobytes() == wanted.numpy().tobytes()
    assert torch.equal(first, torch.linspace(-1, 1, size))


@distributions
def test_a_sum_that_is_added_to_a_multiple_of_the_source(distribution: str) -> None:
    """In numpy: fl(fl(factor * source) + fl(fl(0 + fl(c1 z1)) + fl(c2 z2)))."""
    source, factor = direction(1, 0, 5000).numpy(), np.float32(0.9)
    c1, c2 = np.float32(0.3), np.float32(-1.7)
    z1, z2 = (direction(key, 7, 5007, distribution).numpy() for key in (5, 6))
    found = torch.from_numpy(source.copy())
    accumulate(found, [5, 6], [float(c1), float(c2)], distribution, 7, factor=float(factor))
    assert np.array_equal(found.numpy(), factor * source + (c1 * z1 + c2 * z2))


@distributions
def test_terms_are_rounded_twice_and_never_fused(distribution: str) -> None:
    """Against numpy, whose multiplication and addition cannot be fused; a fused one differs in many places."""
    size, generator = 50_000, np.random.default_rng(0)
    first = generator.normal(size=size).astype(np.float32)
    c = np.float32(0.1234567)
    z = direction(5, 0, size, distribution).numpy()
    found = torch.from_numpy(first.copy())
    accumulate(found, [5], [float(c)], distribution)
    assert np.array_equal(found.numpy(), first + c * z)
    fused = (first.astype(np.float64) + c.astype(np.float64) * z).astype(np.float32)
    assert distribution == "rademacher" or (found.numpy() != fused).sum() > 1000


@distributions
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_matter(distribution: str, threads: int) -> None:
    size = 300_007
    one = direction(5, 11, 11 + size, distribution)
    found = torch.zeros(size)
    numba_kernel.accumulate(Task(found, found, None, (5,), (1.0,), distribution, 11), threads)
    assert torch.equal(found, one)


@pytest.mark.full
@pytest.mark.parametrize("vector", LARGE, ids=lambda vector: vector["distribution"])
def test_ten_million_elements_of_every_implementation(vector: dict[str, object]) -> None:
    """The committed digest; numpy, eager, the kernel on one and two threads, and the kernel in uneven chunks."""
    key, size = int(str(vector["key"])), int(str(vector["size"]))
    distribution: str = "gaussian" if vector["distribution"] == "gaussian" else "rademacher"

    def digest(values: np.ndarray) -> str:
        return hashlib.blake2b(values.astype("<f4").tobytes(), digest_size=16).hexdigest()

    assert digest(getattr(numpy_replay, distribution)(key, size)) == vector["digest"]
    found = torch.zeros(size)
    torch_kernel.accumulate(Task(found, found, None, (key,), (1.0,), distribution, 0))
    assert digest(found.numpy()) == vector["digest"]
    for threads in (1, 2):
        whole = torch.zeros(size)
        numba_kernel.accumulate(Task(whole, whole, None, (key,), (1.0,), distribution, 0), threads)
        assert digest(whole.numpy()) == vector["digest"]
    edges = [0, 1, 130, 4097, 1_000_003, 7_777_777, size]
    parts = [direction(key, begin, end, distribution).numpy() for begin, end in itertools.pairwise(edges)]
    assert digest(np.concatenate(parts)) == vector["digest"]


@distributions
def test_without_numba_it_is_slower_and_the_same(distribution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = direction(3, 5, 5000, distribution)
    monkeypatch.setattr(directions, "numba_kernel", None)
    assert torch.equal(direction(3, 5, 5000, distribution), wanted)


@pytest.mark.parametrize("total", [torch.zeros(4).half(), torch.zeros(8)[::2], torch.zeros(2, 2)])
def test_what_is_no_contiguous_fp32_vector_is_refused(total: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected a contiguous fp32 vector"):
        accumulate(total, [1], [1.0])


def test_keys_and_coefficients_go_together() -> None:
    with pytest.raises(ValueError, match="2 keys and 1 coefficients, 4 to 4 values"):
        accumulate(torch.zeros(4), [1, 2], [1.0])


@distributions
def test_a_mirror_is_the_other_sign_to_the_bit(distribution: str) -> None:
    """theta + c z and theta - c z of one pass are those of two."""
    theta = direction(1, 0, 5000)
    above, below, alone = torch.empty(5000), torch.empty(5000), theta.clone()
    accumulate(above, [9], [1e-3], distribution, source=theta, factor=1.0, mirror=below)
    accumulate(alone, [9], [-1e-3], distribution)
    assert torch.equal(below, alone)
    accumulate(theta, [9], [1e-3], distribution)
    assert torch.equal(above, theta)


def test_a_mirror_goes_with_a_factor() -> None:
    with pytest.raises(ValueError, match="a mirror needs a factor"):
        accumulate(torch.zeros(4), [1], [1.0], mirror=torch.zeros(4))
