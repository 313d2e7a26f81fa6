"""The server: what it checks, how it combines answers, and the clients' learning rates."""

import torch
from yacs.config import CfgNode

from fedmezo.assembly.arguments import base_rate
from fedmezo.assembly.participation import Participation
from fedmezo.assembly.run_spec import RunSpec
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import instantiated
from fedmezo.data.client_batches import LocalData
from fedmezo.federation import aggregation, strategies
from fedmezo.federation.aggregation.folding import Aggregation, ScalarAggregation, WeightAggregation, Weighting
from fedmezo.federation.schedule import Schedule
from fedmezo.federation.server import Rates, Server
from fedmezo.federation.validation import AnswerValidation


def assemble_server(
    spec: RunSpec, data: LocalData | None = None, sample: Participation = lambda round_index: {}
) -> Server:
    """Return the server at the start of a run.

    Args:
        spec: of the run.
        data: of all clients; like the rest needless where past rounds are only restored.
        sample: who takes part.
    """
    cfg, trainable = spec.cfg, spec.trainable
    return Server(
        parameters=trainable.start,
        sample=sample,
        rates=_rates(cfg),
        validation=AnswerValidation(
            spec.identity,
            trainable.parameters.size,
            cfg.zo.queries if spec.scalars else 0,
            data.most_examples if data else lambda client, steps: 0,
            cfg.federate.gradient_bound,
        ),
        aggregation=_aggregation(spec, data),
        seed=cfg.seed,
        total_rounds=cfg.federate.total_round_num,
        in_place=trainable.scorer.in_place,
    )


def _rates(cfg: CfgNode) -> Rates:
    scheduler = dict(cfg.train.scheduler)
    schedule = Schedule(scheduler.pop("type"), scheduler, cfg.federate.total_round_num)
    strategy = instantiated(strategies.registry[cfg.train.train_strategy])
    return Rates(strategy, base_rate(cfg), cfg.train.lr_half_width, schedule.factor)


def _aggregation(spec: RunSpec, data: LocalData | None) -> Aggregation:
    cfg = spec.cfg
    weighting = Weighting(data.sizes if data else [], cfg.federate.weight_by == "dataset", cfg.federate.ignore_weight)
    measured = strategies.registry[cfg.train.train_strategy].needs_update_distance
    spans = spec.trainable.parameters.spans if measured else ()
    rule = _rule(spec)
    if spec.scalars:
        return ScalarAggregation(spec.replay, spec.keys, weighting, spans, cfg.seed, rule)
    return WeightAggregation(weighting, spans, rule)


def _rule(spec: RunSpec) -> aggregation.Rule:
    name, arguments = spec.cfg.federate.method, dict(spec.cfg.federate.method_args)
    try:
        rule = aggregation.registry[name](**arguments)
    except (TypeError, ValueError) as error:
        told = f"federate.method_args = {arguments}\n    {name} refuses them: {error}"
        raise ConfigurationError(told) from error
    if spec.trainable.start.dtype != torch.float32 and name != "fedavg":
        raise ConfigurationError(
            f"federate.method = {name}\n    wants parameters in full precision: train.is_enable_half False, or "
            "llm.adapter.use True; those in half precision are averaged by fedavg alone"
        )
    return rule
