"""The callbacks of a run, from its configuration."""

from collections.abc import Iterator

from yacs.config import CfgNode

from fedmezo.federation.callbacks import Callback
from fedmezo.reporting.callbacks import RunContext
from fedmezo.reporting.callbacks.make import ALWAYS, make_callback

TRACKERS = ("wandb", "tensorboard")  # which sections of their own choose, too


def callback_names(cfg: CfgNode) -> list[str]:
    """Return what is told of a run, in this order."""
    used = [name for name in TRACKERS if cfg[name].use]
    return list(dict.fromkeys((*used, *ALWAYS, *cfg.callbacks)))


def assemble_callbacks(cfg: CfgNode, run: RunContext) -> Iterator[Callback]:
    """Yield the callbacks of a run.

    Raises:
        ConfigurationError: one cannot be made; the message names file and line.
    """
    return (make_callback(name, run) for name in callback_names(cfg))
