"""Arguments that the configuration passes on."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from yacs.config import CfgNode

from fedmezo import training
from fedmezo.config import to_dict
from fedmezo.config.check import AUTO
from fedmezo.core.errors import ConfigurationError
from fedmezo.zeroth_order import steps
from fedmezo.zeroth_order.steps import StepRule
from fedmezo.zeroth_order.steps.second_differences import CAUTION


def zeroth_order(cfg: CfgNode) -> bool:
    """Return whether the clients' updates are projected gradients."""
    return training.registry[cfg.trainer.type].sends == "scalars"


def base_rate(cfg: CfgNode) -> float:
    """Return the rate that strategies and schedules go by: of newton's step, where it is chosen by itself."""
    return CAUTION if cfg.train.optimizer.lr == AUTO else float(cfg.train.optimizer.lr)


def step_rule(cfg: CfgNode) -> type[StepRule]:
    """Return the kind of step."""
    return steps.registry["newton" if cfg.train.optimizer.lr == AUTO else cfg.zo.normalise]


def scalars_travel(cfg: CfgNode) -> bool:
    """Return whether projected gradients travel, rather than the weights that they lead to.

    Raises:
        ConfigurationError: they are to, and the trainer has none.
    """
    if cfg.federate.transport == "scalars" and not zeroth_order(cfg):
        raise ConfigurationError(
            f"federate.transport = scalars\n    trainer.type = {cfg.trainer.type} has weights to send, no scalars"
        )
    return cfg.federate.transport != "weights" and zeroth_order(cfg)


def first_mapping(items: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Return the one mapping of a list that holds at most one, as a copy."""
    return to_dict(items[0]) if items else {}


def prompt_day(cfg: CfgNode) -> date | None:
    """Return the day that prompts may show; None where that is the day on which they are made."""
    return date.fromisoformat(cfg.data.date) if cfg.data.date else None
