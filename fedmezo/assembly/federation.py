"""Server, clients and engine, from the configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from yacs.config import CfgNode

from fedmezo.assembly.arguments import scalars_travel
from fedmezo.assembly.engine import assemble_engine
from fedmezo.assembly.identity import assemble_header, identity
from fedmezo.assembly.learning_task import LearningTask
from fedmezo.assembly.model import TrainableModel
from fedmezo.assembly.participation import Participation, assemble_participation, clients_in_a_round
from fedmezo.assembly.trainer import assemble_trainer
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import instantiated
from fedmezo.core.log import LOG
from fedmezo.data.client_batches import LocalData
from fedmezo.federation import aggregation, strategies
from fedmezo.federation.aggregation.folding import Aggregation, ScalarAggregation, WeightAggregation, Weighting
from fedmezo.federation.client import ClientExecutor
from fedmezo.federation.communication import Downlink, Uplink
from fedmezo.federation.engine import Engine
from fedmezo.federation.schedule import Schedule
from fedmezo.federation.server import Rates, Server
from fedmezo.federation.validation import AnswerValidation
from fedmezo.ledger.records import Header
from fedmezo.training import RETRIES
from fedmezo.zeroth_order.replay import DirectionKeys, Replay
from fedmezo.zeroth_order.scoring import LoraBatchedScorer, Scorer

MOST_TOGETHER = 16  # clients in step with engine.lanes auto; each holds a point of its own


@dataclass(frozen=True, eq=False)
class Federation:
    """The server, the clients' work, the engine that executes it, what they are sent, and what the run starts from."""

    server: Server
    engine: Engine
    downlink: Downlink
    work: ClientExecutor
    header: Header
    scalars: bool

    @property
    def local_data(self) -> LocalData:
        """The clients' training data."""
        return self.work.data

    def new_downlink(self) -> Downlink:
        """Return the memory of a server that has sent nothing yet."""
        return _downlink(self.work, self.header, self.scalars, self.server)


def assemble_federation(
    cfg: CfgNode, task: LearningTask, on_step: Callable[[float], None] = lambda loss: None
) -> Federation:
    """Put server, clients and engine together.

    Raises:
        ConfigurationError: optimizer or scheduler do not take their arguments.
    """
    scalars, header = scalars_travel(cfg), assemble_header(cfg, task)
    work = assemble_client_executor(cfg, task, header, on_step)
    sample = assemble_participation(cfg, work.data.steps, [len(own) for own in work.data.examples.values()])
    server = assemble_server(cfg, task, work.uplink.identity, work.data, sample)
    downlink = _downlink(work, header, scalars, server)
    return Federation(server, assemble_engine(cfg, header, work, downlink), downlink, work, header, scalars)


def assemble_client_executor(
    cfg: CfgNode,
    task: LearningTask,
    header: Header,
    on_step: Callable[[float], None],
    client: int | None = None,
) -> ClientExecutor:
    """Return what clients do.

    Args:
        cfg: of the run.
        problem: model and data.
        header: of the run.
        on_step: told of every local step's loss.
        client: whose all the data are; None: they are divided among all.
    """
    replay = _replay(cfg, task)
    return ClientExecutor(
        assemble_trainer(cfg, task, replay),
        _local_data(cfg, task, client),
        _keys(cfg),
        Uplink(identity(cfg, header.hashes), None if scalars_travel(cfg) else replay),
        on_step,
        _clients_together(cfg, task.scorer),
    )


def _downlink(work: ClientExecutor, header: Header, scalars: bool, server: Server) -> Downlink:
    stateful = server.aggregation.rule.stateful
    return Downlink(work.uplink.identity, header.size, scalars, server.parameters.element_size(), stateful)


def assemble_server(
    cfg: CfgNode,
    trainable: TrainableModel,
    name: bytes = b"",
    data: LocalData | None = None,
    sample: Participation = lambda round_index: {},
) -> Server:
    """Return the server at the start of a run.

    Args:
        cfg: of the run.
        tunable: what is trained.
        name: the run's, in messages; like the rest needless where past rounds are only restored.
        data: of all clients.
        sample: who takes part.
    """
    queries = cfg.zo.queries if scalars_travel(cfg) else 0
    return Server(
        parameters=trainable.start,
        sample=sample,
        rates=_rates(cfg),
        validation=AnswerValidation(
            name,
            trainable.parameters.size,
            queries,
            data.most_examples if data else lambda client, steps: 0,
            cfg.federate.gradient_bound,
        ),
        aggregation=_aggregation(cfg, trainable, [len(own) for own in data.examples.values()] if data else []),
        seed=cfg.seed,
        in_place=trainable.scorer.in_place,
    )


def _clients_together(cfg: CfgNode, scorer: Scorer) -> int:
    """Return how many clients train in step; a forward holds as many lanes as are worth it, or as were asked for."""
    if not isinstance(scorer, LoraBatchedScorer):
        if cfg.engine.lanes != 1:
            LOG.info(f"engine.lanes has no effect here: losses are computed {scorer.manner}")
        return 1
    if cfg.engine.lanes == "auto":
        return MOST_TOGETHER
    together = min(cfg.engine.lanes, clients_in_a_round(cfg))
    scorer.most_tokens *= together
    return int(together)


def _replay(cfg: CfgNode, trainable: TrainableModel) -> Replay:
    return Replay(trainable.parameters.decay_runs(), cfg.train.optimizer.weight_decay, trainable.scorer.directions)


def _keys(cfg: CfgNode) -> DirectionKeys:
    seed = cfg.seed if cfg.zo.seed is None else cfg.zo.seed
    return DirectionKeys(seed, cfg.zo.queries, shared=cfg.zo.directions == "shared")


def _local_data(cfg: CfgNode, task: LearningTask, client: int | None) -> LocalData:
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


def _rates(cfg: CfgNode) -> Rates:
    scheduler = dict(cfg.train.scheduler)
    schedule = Schedule(scheduler.pop("type"), scheduler, cfg.federate.total_round_num)
    strategy = instantiated(strategies.registry[cfg.train.train_strategy])
    return Rates(strategy, cfg.train.optimizer.lr, cfg.train.lr_half_width, schedule.factor)


def _aggregation(cfg: CfgNode, trainable: TrainableModel, sizes: Sequence[int]) -> Aggregation:
    weighting = Weighting(sizes, cfg.federate.weight_by == "dataset", cfg.federate.ignore_weight)
    measured = strategies.registry[cfg.train.train_strategy].needs_update_distance
    spans = trainable.parameters.spans if measured else ()
    rule = _rule(cfg, trainable)
    if scalars_travel(cfg):
        return ScalarAggregation(_replay(cfg, trainable), _keys(cfg), weighting, spans, cfg.seed, rule)
    return WeightAggregation(weighting, spans, rule)


def _rule(cfg: CfgNode, trainable: TrainableModel) -> aggregation.Rule:
    name, arguments = cfg.federate.method, dict(cfg.federate.method_args)
    try:
        rule = aggregation.registry[name](**arguments)
    except (TypeError, ValueError) as error:
        told = f"federate.method_args = {arguments}\n    {name} refuses them: {error}"
        raise ConfigurationError(told) from error
    if trainable.start.dtype != torch.float32 and name != "fedavg":
        raise ConfigurationError(
            f"federate.method = {name}\n    wants parameters in full precision: train.is_enable_half False, or "
            "llm.adapter.use True; those in half precision are averaged by fedavg alone"
        )
    return rule
