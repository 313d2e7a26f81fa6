"""Datasets by name: one file a dataset, registered under the name that ``data.type`` gives it.

Tasks are described by YAML files beside these, ``NAME.yaml`` each (:mod:`fedmezo.data.tasks`).
"""

from collections.abc import Callable

from fedmezo.core.registry import Registry
from fedmezo.data.sources.source import Source

registry: Registry[Callable[[], Source]] = Registry("dataset", __name__)
register = registry.register
