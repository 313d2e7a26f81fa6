"""The user's own strategies, trainers, splitters, datasets and criteria."""

import importlib
from collections.abc import Iterable
from pathlib import Path

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.registry import declarations
from fedmezo.core.user_code import import_file

PACKAGE = "fedmezo."


def import_extensions(paths: Iterable[str]) -> None:
    """Import files, which enters what they hold into the registries.

    Raises:
        ConfigurationError: a file fails, or does not register what it declares; the message names file and line.
    """
    for path in map(Path, paths):
        import_file(path)
        for each in declarations(path):
            if each.package.startswith(PACKAGE) and each.name not in importlib.import_module(each.package).registry:
                raise ConfigurationError(f"{path}:{each.line}\n    importing the file does not register {each.name}")
