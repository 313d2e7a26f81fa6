"""What clients do in a round: their data, their trainer, what they send."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from yacs.config import CfgNode

from fedmezo import training
from fedmezo.assembly.arguments import step_rule
from fedmezo.assembly.participation import clients_in_a_round
from fedmezo.assembly.run_spec import RunSpec
from fedmezo.assembly.task import LearningTask
from fedmezo.config import to_dict
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.log import LOG
from fedmezo.data.client_batches import LocalData
from fedmezo.federation.client import ClientExecutor
from fedmezo.federation.communication import Uplink
from fedmezo.training import RETRIES, Resources
from fedmezo.training.flops import FlopCounter
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.scoring import LoraBatchedScorer, Scorer

MOST_TOGETHER = 16  # clients in step with engine.lanes auto; each holds a point of its own
OPTIMIZER_KEYS = ("type", "lr", "weight_decay")


def assemble_client_executor(spec: RunSpec, data: LocalData, on_step: Callable[[float], None]) -> ClientExecutor:
    """Return what clients do.

    Args:
        spec: of the run.
        data: that the clients train on.
        on_step: told of every local step's loss.

    Raises:
        ConfigurationError: optimizer or trainer do not take their arguments.
    """
    return ClientExecutor(
        assemble_trainer(spec),
        data,
        spec.keys,
        Uplink(spec.identity, None if spec.scalars else spec.replay),
        on_step,
        _clients_together(spec.cfg, spec.trainable.scorer),
        FlopCounter() if spec.cfg.eval.count_flops else None,
    )


def assemble_local_data(cfg: CfgNode, task: LearningTask, client: int | None = None) -> LocalData:
    """Return the training data of all clients.

    Args:
        cfg: of the run.
        task: whose data are divided among them.
        client: whose all the data are; None: they are divided among all.
    """
    own = (each.train for each in task.data.partition.clients)
    by_epoch = cfg.train.batch_or_epoch == "epoch"
    return LocalData(
        examples=dict(enumerate(own, start=client or 0)),
        collate=task.collate,
        seed=cfg.seed,
        batch_size=cfg.dataloader.batch_size,
        shuffle=cfg.dataloader.shuffle,
        local_steps=cfg.train.local_update_steps,
        by_epoch=by_epoch,
        short=by_epoch and cfg.dataloader.last_batch == "short",
        attempts=RETRIES if cfg.llm.retry_on_nan_loss else 1,
    )


def assemble_trainer(spec: RunSpec) -> training.Trainer:
    """Make the trainer of the resources that every trainer is offered, and of its own keys of ``trainer.*``.

    Raises:
        ConfigurationError: it takes no such key, lacks one, or refuses what it is given.
    """
    cfg = spec.cfg
    options = {name: value for name, value in to_dict(cfg.trainer).items() if name != "type"}
    create = training.registry[cfg.trainer.type].create
    _check_options(cfg.trainer.type, create, options)
    return create(_resources(spec), **options)


def _check_options(kind: str, create: Callable[..., Any], options: Mapping[str, Any]) -> None:
    _, *own = inspect.signature(create).parameters.values()  # the first takes the resources
    names = [parameter.name for parameter in own]
    for name, value in options.items():
        if name not in names:
            raise ConfigurationError(f"trainer.{name} = {value}\n    {kind} takes no {name}")
    for parameter in own:
        if parameter.default is parameter.empty and parameter.name not in options:
            raise ConfigurationError(
                f"trainer.type = {kind}\n    it needs {parameter.name}: set trainer.{parameter.name}"
            )


def _resources(spec: RunSpec) -> Resources:
    cfg, optimizer = spec.cfg, to_dict(spec.cfg.train.optimizer)
    arguments = {key: value for key, value in optimizer.items() if key not in OPTIMIZER_KEYS}
    if not arguments.get("momentum"):
        arguments.pop("momentum", None)  # not every optimizer knows the word
    return Resources(
        scorer=spec.trainable.scorer,
        replay=spec.replay,
        seed=cfg.seed,
        mu=cfg.zo.mu,
        estimator=make_estimator(cfg.zo.estimator),
        step_rule=step_rule(cfg),
        clip=cfg.grad.grad_clip if cfg.grad.grad_clip > 0 else None,
        retry=cfg.llm.retry_on_nan_loss,
        optimizer=optimizer["type"],
        arguments=arguments,
        weight_decay=optimizer["weight_decay"],
    )


def _clients_together(cfg: CfgNode, scorer: Scorer) -> int:
    """Return how many clients train in step; a forward holds as many lanes as are worth it, or as were asked for."""
    if not isinstance(scorer, LoraBatchedScorer):
        if cfg.engine.lanes != 1:
            LOG.info(f"engine.lanes has no effect here: losses are computed {scorer.manner}")
        return 1
    if cfg.engine.lanes == "auto":
        return MOST_TOGETHER
    together = min(int(cfg.engine.lanes), clients_in_a_round(cfg))
    scorer.share(together)
    return together
