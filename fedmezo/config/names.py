"""The names that are registered in the package, read from its sources without importing them."""

from pathlib import Path

from fedmezo.registry import declared_names

PACKAGE = Path(__file__).parent.parent


def registered(folder: str) -> tuple[str, ...]:
    """Return the registered names of one kind, in order.

    Args:
        folder: the folder of the kind inside the package, such as ``data/splitters``.
    """
    return tuple(declared_names(PACKAGE / folder))
