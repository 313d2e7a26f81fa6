"""The trainer of a run, from its configuration."""

import inspect
from typing import Any

from yacs.config import CfgNode

from fedmezo import training
from fedmezo.assembly.learning_task import LearningTask
from fedmezo.config import to_dict
from fedmezo.core.errors import ConfigurationError
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.replay import Replay

OPTIMIZER_KEYS = ("type", "lr", "weight_decay")


def assemble_trainer(cfg: CfgNode, task: LearningTask, replay: Replay) -> training.Trainer:
    """Make the trainer, giving its constructor what it names of the resources and its own keys of ``trainer.*``.

    Raises:
        ConfigurationError: it asks for something else, or refuses what it is given.
    """
    make = training.registry[cfg.trainer.type]
    own = {name: value for name, value in to_dict(cfg.trainer).items() if name != "type"}
    offered = _resources(cfg, task, replay) | own
    parameters = inspect.signature(make).parameters
    for name in own:
        if name not in parameters:
            raise ConfigurationError(f"trainer.{name} = {own[name]}\n    {cfg.trainer.type} takes no {name}")
    for name, parameter in parameters.items():
        if name not in offered and parameter.default is parameter.empty:
            listed = ", ".join(sorted(offered))
            raise ConfigurationError(
                f"trainer.type = {cfg.trainer.type}\n    it needs {name}: set trainer.{name}, "
                f"or let the trainer take what there is: {listed}"
            )
    return make(**{name: offered[name] for name in parameters if name in offered})


def _resources(cfg: CfgNode, task: LearningTask, replay: Replay) -> dict[str, Any]:
    optimizer = to_dict(cfg.train.optimizer)
    arguments = {key: value for key, value in optimizer.items() if key not in OPTIMIZER_KEYS}
    if not arguments.get("momentum"):
        arguments.pop("momentum", None)  # not every optimizer knows the word
    return {
        "scorer": task.scorer,
        "clip": cfg.grad.grad_clip if cfg.grad.grad_clip > 0 else None,
        "retry": cfg.llm.retry_on_nan_loss,
        "replay": replay,
        "mu": cfg.zo.mu,
        "estimator": make_estimator(cfg.zo.estimator),
        "seed": cfg.seed,
        "optimizer": optimizer["type"],
        "arguments": arguments,
        "weight_decay": optimizer["weight_decay"],
    }
