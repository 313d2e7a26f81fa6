"""What every registered distribution keeps, and distributions of the user's own."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.core.directions import accumulate, direction
from fedmezo.core.directions.distributions import registry
from fedmezo.core.directions.distributions.validation import check_distribution
from fedmezo.core.directions.philox import philox
from fedmezo.core.directions.task import COMPILED
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import import_extensions
from tests.guides.test_extending import blocks

SOURCE = """
import torch
from fedmezo.core.directions.distributions import register
@register("mine")
class Mine:
    per_block = 128
    kurtosis = 1.0
    def values(self, words):
        bits = (words.unsqueeze(-1) >> torch.arange(32)) & 1
        return (2.0 * bits.float() - 1.0).flatten(1)
"""
GUIDE = blocks("A distribution of directions", "python")[0]
names = pytest.mark.parametrize("name", registry.names())
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


@names
def test_its_moments_are_0_and_1_and_the_kurtosis(name: str) -> None:
    z = direction(5, 0, 1 << 20, name).double()
    error = 5.0 / math.sqrt(z.numel())
    kurtosis = registry[name]().kurtosis
    assert abs(z.mean().item()) < error
    assert abs(z.square().mean().item() - 1.0) <= error * math.sqrt(kurtosis - 1.0)
    assert (z**4).mean().item() == pytest.approx(kurtosis, rel=0.02)


@names
def test_the_definition_gives_the_bits_of_whatever_makes_them(name: str) -> None:
    kind = registry[name]()
    values = kind.values(philox(9, 0, 100)).flatten()
    assert torch.equal(direction(9, 0, len(values), name), values)
    check_distribution(name)


def test_those_with_kernels_are_registered() -> None:
    assert set(COMPILED) <= registry.names().keys()


def entered(folder: Path, source: str) -> Path:
    path = folder / "own.py"
    path.write_text(source, encoding="utf-8")
    import_extensions([str(path)])
    return path


@given(
    key=st.integers(0, 2**63 - 1),
    start=st.integers(0, 10_000) | st.integers(2**33, 2**34),
    size=st.integers(1, 3000),
    cut=st.integers(0, 3000),
)
@settings(max_examples=30, deadline=None)
def test_one_of_the_users_is_a_function_of_key_and_index(
    key: int, start: int, size: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The guide's: in whole and in parts, added to a vector of fp32, fp64 and bf16 as the definition says."""
    if "uniform" not in registry:
        entered(tmp_path_factory.mktemp("user"), GUIDE)
    whole = direction(key, start, start + size, "uniform")
    assert whole.abs().max() < math.sqrt(3) + 1e-6
    words = philox(key, start // 4, size // 4 + 2).flatten()[start % 4 :][:size]
    wanted = (2.0 * (words >> 9).double() + 1.0) / 2.0**23 - 1.0  # in (-1, 1)
    assert torch.allclose(whole.double(), wanted * math.sqrt(3), rtol=2e-7, atol=0.0)
    middle = start + min(cut, size)
    parts = [direction(key, *edges, "uniform") for edges in ((start, middle), (middle, start + size))]
    assert torch.equal(torch.cat(parts), whole)
    theta, below = torch.linspace(-1, 1, size), torch.empty(size)
    above = torch.empty(size)
    accumulate(above, [key], [0.5], "uniform", start, source=theta, factor=1.0, mirror=below)
    assert torch.equal(above, theta + 0.5 * whole) and torch.equal(below, theta - 0.5 * whole)
    double = torch.zeros(size, dtype=torch.float64)
    accumulate(double, [key], [1.0], "uniform", start)
    assert torch.equal(double, whole.double())
    half = torch.zeros(size, dtype=torch.bfloat16)
    accumulate(half, [key], [1.0], "uniform", start)
    assert torch.equal(half, whole.bfloat16())


def test_another_way_to_the_same_values_has_the_same_bits(tmp_path: Path) -> None:
    entered(tmp_path, SOURCE)
    check_distribution("mine")
    assert torch.equal(direction(3, 77, 5000, "mine"), -direction(3, 77, 5000, "rademacher"))


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        (").flatten(1)", ")", 8, "values returned torch.float32 of shape [4096, 4, 32], expected torch.float32 of"),
        ("bits.float()", "bits.double()", 8, "values returned torch.float64"),
        ("return", "return None and", 8, "values returned NoneType"),
        ("2.0 * bits", "3.0 * bits", 8, "the mean 0.497"),
        ("(2.0 * bits.float() - 1.0)", "(4.0 * bits.float() - 2.0)", 8, "the variance 4.000, expected 0 and 1"),
        ("- 1.0)", "- torch.rand(len(words), 4, 32))", 8, "depend on more than its own words"),
        ("bits.float()", "bits.float() / 0", 8, "or are not numbers"),
        ("per_block = 128", "per_block = 0", 8, "per_block = 0, kurtosis = 1.0, expected an integer"),
        ("kurtosis = 1.0", "kurtosis = None", 8, "kurtosis = None"),
        ("class Mine:", "class Mine:\n    def __init__(self, width): ...", 6, "missing 1 required"),
    ],
)
def test_what_does_not_do_is_told_with_its_line(before: str, after: str, line: int, words: str, tmp_path: Path) -> None:
    assert before in SOURCE
    path = entered(tmp_path, SOURCE.replace(before, after, 1))
    with pytest.raises(ConfigurationError) as caught:
        check_distribution("mine")
    assert words in str(caught.value) and f"{path}:{line}\n" in str(caught.value)


def test_what_a_class_lacks_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"own\.py:4\n.*distribution of directions 'mine' has no kurtosis"):
        entered(tmp_path, SOURCE.replace("    kurtosis = 1.0\n", ""))
