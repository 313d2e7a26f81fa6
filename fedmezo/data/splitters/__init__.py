"""Splitters by name: how training examples are divided among clients."""

from collections.abc import Callable

from fedmezo.core.registry import Registry
from fedmezo.data.splitters.splitter import Splitter

registry: Registry[Callable[..., Splitter]] = Registry("splitter", __name__)
register = registry.register
