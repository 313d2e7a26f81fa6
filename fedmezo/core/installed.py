"""Packages that come with an extra: whether they are there."""

import importlib.util
from collections.abc import Mapping

from fedmezo.core.errors import ConfigurationError


def check_installed(what: str, packages: Mapping[str, str]) -> None:
    """Make sure that packages are there that something is made with, by the extra that they come with.

    Raises:
        ConfigurationError: one is not; the message says how to install it.
    """
    for package, extra in packages.items():
        if importlib.util.find_spec(package) is None:
            raise ConfigurationError(f"{what}\n    {package} is not installed: pip install -e .[{extra}]")
