"""Where packages were in version 0.2.0 that files of users import: a run that names such a file goes on as it is."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FORMER = {
    "fedmezo.strategies": "fedmezo.federation.strategies",
    "fedmezo.trainers": "fedmezo.training",
    "fedmezo.engines": "fedmezo.federation.engines",
    "fedmezo.errors": "fedmezo.core.errors",
    "fedmezo.randomness": "fedmezo.core.randomness",
}


def current(name: str) -> str:
    """Return where a module, or what is in it, is now.

    Examples:
        >>> current("fedmezo.strategies.register"), current("fedmezo.data.sources")
        ('fedmezo.federation.strategies.register', 'fedmezo.data.sources')
    """
    for former, now in FORMER.items():
        if name == former or name.startswith(f"{former}."):
            return now + name.removeprefix(former)
    return name


@contextmanager
def former_names(source: str) -> Iterator[None]:
    """Have the packages that a file names be found where they were, inside the block."""
    named = {former: now for former, now in FORMER.items() if former in source}
    sys.modules.update({former: importlib.import_module(now) for former, now in named.items()})
    try:
        yield
    finally:
        for former in named:
            del sys.modules[former]
