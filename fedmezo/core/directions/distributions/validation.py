"""What is checked of a distribution before it is used: on a few blocks, always the same."""

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from fedmezo.core.directions.distributions import Distribution, registry
from fedmezo.core.directions.philox import philox
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at, instantiated

BLOCKS = 1 << 12
DEVIATIONS = 6.0  # of a mean from what it should be


def check_distribution(name: str) -> None:
    """Try a registered distribution.

    Raises:
        ConfigurationError: it does not keep the contract of :class:`Distribution`; the message names file and line.
    """
    distribution = instantiated(registry[name])
    words = philox(0, 0, BLOCKS)
    if wrong := _fault(distribution, words):
        raise ConfigurationError(f"{defined_at(distribution.values)}\n    zo.distribution = {name}: {wrong}")


def _fault(distribution: Distribution, words: Tensor) -> str:
    """Return what is wrong with a distribution; empty where nothing is."""
    size: Any = distribution.per_block
    kurtosis: Any = distribution.kurtosis
    if not (isinstance(size, int) and isinstance(kurtosis, Real) and size >= 1 and float(kurtosis) >= 1.0):
        return f"per_block = {size}, kurtosis = {kurtosis}, expected an integer and a number, each >= 1"
    found = distribution.values(words.clone())
    if not isinstance(found, Tensor) or found.shape != (BLOCKS, size) or found.dtype != torch.float32:
        kind = f"{found.dtype} of shape {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        return f"values returned {kind}, expected torch.float32 of shape [{BLOCKS}, {size}]"
    if not torch.equal(distribution.values(words[1:].clone()), found[1:]):  # not equal to itself either: NaN
        return "the values of a block depend on more than its own words, or are not numbers"
    return _moments(found.double().flatten(), float(kurtosis))


def _moments(values: Tensor, kurtosis: float) -> str:
    error = DEVIATIONS / math.sqrt(len(values))
    mean, variance = values.mean().item(), values.square().mean().item()
    if not (abs(mean) <= error and abs(variance - 1.0) <= error * math.sqrt(kurtosis - 1.0) + 1e-3):
        return f"{len(values)} values have the mean {mean:.3f} and the variance {variance:.3f}, expected 0 and 1"
    return ""
