"""Arguments that the configuration passes on."""

from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

from fedmezo import trainers
from fedmezo.config import to_dict


def zeroth_order(cfg: CfgNode) -> bool:
    """Return whether the clients' updates are projected gradients, so that scalars travel."""
    return trainers.registry[cfg.trainer.type].sends == "scalars"


def first_mapping(items: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Return the one mapping of a list that holds at most one, as a copy."""
    return to_dict(items[0]) if items else {}
