"""``--check``: what a run would work on and what it would cost, without training anything."""

import math
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor
from yacs.config import CfgNode

from fedmezo.assembly import (
    LearningTask,
    assemble_federation,
    assemble_learning_task,
    precision_warnings,
    scalars_travel,
)
from fedmezo.assembly.precision import RECOMMENDED_FIDELITY
from fedmezo.commands.cost_estimate import Cost, estimate
from fedmezo.config import unused
from fedmezo.core.errors import ClientError, ConfigurationError, FedmezoError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.core.text import duration, human
from fedmezo.data.batches import Batch
from fedmezo.evaluation.fidelity import Fidelity, Setting, gradient_fidelities
from fedmezo.federation.communication import paper_bytes, round_traffic
from fedmezo.zeroth_order.estimators.make import make_estimator

PAIRS_PER_BATCH = 4

T = TypeVar("T")


def describe(cfg: CfgNode) -> str:
    """Return clients, examples, parameters, bytes and memory of a configuration, as lines of text.

    Raises:
        FedmezoError: the run could not start either.
    """
    learning_task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, learning_task)
    plan = federation.server.plan(0)
    steps = [task.steps for task in plan.tasks]
    scoring = f"scoring: {learning_task.scorer.manner}"
    lines = [
        learning_task.data.describe(),
        learning_task.describe(),
        scoring,
        _bytes_line(cfg, learning_task.start, steps),
    ]
    lines.append(f"steps: {sum(steps)} in a round, {len(plan.tasks)} of {cfg.federate.client_num} clients taking part")
    lines += _cost_lines(cfg, attempted(lambda: estimate(cfg, learning_task, federation)))
    return "\n".join([*lines, *unused(cfg), *precision_warnings(cfg, learning_task.scorer)])


def attempted(work: Callable[[], T]) -> T:
    """Return what some of a run's steps give; what fails in them is a client's failure, as in a run."""
    try:
        return work()
    except FedmezoError:
        raise
    except Exception as error:
        raise ClientError(f"a step that was tried: {type(error).__name__}: {error}") from error


def _bytes_line(cfg: CfgNode, point: Tensor, steps: list[int]) -> str:
    size = point.numel()
    travelling = round_traffic(size, steps, cfg.zo.queries, scalars=False, itemsize=point.element_size())
    weights = f"{human(travelling.up)} up, {human(travelling.down)} down"
    if not scalars_travel(cfg):
        return f"bytes per client and round: {weights} (parameters travel)"
    scalars = round_traffic(size, steps, cfg.zo.queries, scalars=True)
    return (
        f"bytes per client and round: {scalars.up} up, {scalars.down} down (as parameters: {weights})\n"
        f"bytes of the paper's 500 rounds with 3 billion parameters: {human(paper_bytes(scalars=True))}, "
        f"instead of {human(paper_bytes(scalars=False))}"
    )


def _cost_lines(cfg: CfgNode, cost: Cost) -> list[str]:
    rounds = f"{cost.round_seconds:.3g} s a round, {cost.evaluation_seconds:.3g} s an evaluation"
    written = f", and {duration(cost.answer_seconds)} for its answers, before and after" if cost.answer_seconds else ""
    kept = f", and {duration(cost.kept_seconds)} for the first pass of each example" if cost.kept_seconds else ""
    return [
        f"time: about {duration(cost.seconds)} for {cfg.federate.total_round_num} rounds ({rounds}), "
        f"after {duration(cost.evaluation_seconds)} to evaluate before training{written}{kept}",
        f"memory: about {cost.memory_mib:,.0f} MiB at the peak",
    ]


def measure_fidelity(cfg: CfgNode, pairs: int) -> Fidelity:
    """Measure the gradient fidelity of a configuration's dtype, adapter, mu and batch at its initial point.

    Args:
        cfg: of the run.
        pairs: (direction, batch) pairs; at least 100 for a figure to rely on.
    """
    learning_task = assemble_learning_task(cfg)
    if not learning_task.scorer.differentiable:
        raise ConfigurationError("--fidelity\n    criterion.type has no gradient that it could be measured against")
    (found,) = gradient_fidelities(
        [Setting(learning_task.scorer, cfg.zo.mu, make_estimator(cfg.zo.estimator))],
        in_full_precision(cfg, learning_task).scorer,
        learning_task.start,
        fidelity_batches(cfg, learning_task, math.ceil(pairs / PAIRS_PER_BATCH)),
        directions_per_batch=PAIRS_PER_BATCH,
        seed=cfg.seed,
    )
    return found


def in_full_precision(cfg: CfgNode, learning_task: LearningTask) -> LearningTask:
    """Return the same model and data in fp32, what backpropagation is exact in."""
    if not cfg.train.is_enable_half:
        return learning_task
    full = cfg.clone()
    full.defrost()
    full.train.is_enable_half = False
    return assemble_learning_task(full)


def fidelity_batches(cfg: CfgNode, learning_task: LearningTask, count: int) -> list[Batch]:
    """Return training batches of a configuration, drawn from all clients."""
    draw = generator(stream_key(cfg.seed, "data", query=0))
    train = learning_task.data.partition.union("train")
    size = min(cfg.dataloader.batch_size, len(train))
    return [learning_task.collate(draw.choice(train, size, replace=False)) for _ in range(count)]


def fidelity_line(fidelity: Fidelity) -> str:
    """Return the measurement in words."""
    verdict = (
        ""
        if fidelity.correlation >= RECOMMENDED_FIDELITY
        else (f"; below {RECOMMENDED_FIDELITY}: try a larger zo.mu, larger batches, or train.is_enable_half False")
    )
    return (
        f"gradient fidelity: {fidelity.correlation:.3f} over {fidelity.pairs} pairs "
        f"(std of the exact derivative {fidelity.exact_std:.3g}, of the error {fidelity.error_std:.3g}){verdict}"
    )
