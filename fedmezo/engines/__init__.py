"""Engines: how client work is executed (the contract is in :mod:`fedmezo.federation.execution`)."""

from collections.abc import Callable

from fedmezo.federation.execution import Engine
from fedmezo.registry import Registry

registry: Registry[Callable[..., Engine]] = Registry("engine", __name__)
register = registry.register
