"""Arguments that the configuration passes on."""

from collections.abc import Mapping
from typing import Any

from fedmezo.config import to_dict


def first_mapping(items: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Return the one mapping of a list that holds at most one, as a copy."""
    return to_dict(items[0]) if items else {}
