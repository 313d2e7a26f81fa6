"""Engines: how client work is executed (the contract is in :mod:`fedmezo.federation.engine`)."""

from collections.abc import Callable

from fedmezo.core.registry import Registry
from fedmezo.federation.engine import Engine

registry: Registry[Callable[..., Engine]] = Registry("engine", __name__)
register = registry.register
