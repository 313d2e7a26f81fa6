"""Splitters by name: how training examples are divided among clients."""

from collections.abc import Callable

from fedmezo.data.splitters.splitter import Splitter
from fedmezo.registry import Registry

registry: Registry[Callable[..., Splitter]] = Registry("splitter", __name__)
register = registry.register
