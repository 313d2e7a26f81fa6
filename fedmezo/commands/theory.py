"""What ``scripts/theory.py`` does: the quantities of the convergence analysis, measured on a run's model and data."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm
from yacs.config import CfgNode

from fedmezo.assembly import LearningTask, assemble_federation, assemble_learning_task, zeroth_order
from fedmezo.assembly.arguments import base_rate, step_rule
from fedmezo.assembly.participation import clients_in_a_round
from fedmezo.assembly.run_spec import block_order
from fedmezo.commands.check import in_full_precision
from fedmezo.commands.load_run import RoundSelector, rebuild
from fedmezo.commands.theory_blocks import divided_cfg, make_comparison
from fedmezo.core.environment import environment
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.log import progress_shown
from fedmezo.core.randomness import generator, stream_key
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.text import duration
from fedmezo.evaluation.theory.bench import Bench, Sizes
from fedmezo.evaluation.theory.findings import Chosen, Findings
from fedmezo.evaluation.theory.heterogeneity import LEAST_BATCHES, Constants, fit
from fedmezo.evaluation.theory.report import page
from fedmezo.ledger.ledger import Ledger
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.steps.plain import Plain

MOST_CLIENTS = 8
LEAST_POINTS = 3  # of a line that says anything
HESSIAN = -2  # the "client" of the stream of examples that the Hessian is of

Fitted = tuple[Constants, Constants] | None  # of batches, and of clients


@dataclass(frozen=True)
class Measurement:
    """What was found: a page in Markdown, and all of it as plain values."""

    page: str
    values: dict[str, Any]


def measure(
    cfg: CfgNode, folder: RunFolder, rounds: Sequence[RoundSelector], sizes: Sizes, blocks: int | None = None
) -> Measurement:
    """Measure at points of a run.

    Args:
        cfg: of the run.
        folder: of the run.
        rounds: of the points: numbers of rounds, final, or best.
        sizes: of the samples.
        blocks: that whole directions are compared with; None for those of the run, if it has any.

    Raises:
        ConfigurationError: the run has no such round, too little data, a criterion without a gradient, or no such
            blocks.
        ResourceError: the run cannot be rebuilt.
        DivergedError: parameters, losses or derivatives are not finite at a point.
    """
    started = time.perf_counter()
    points = _points(cfg, folder, rounds)
    task = assemble_learning_task(cfg)
    if not task.scorer.differentiable:
        raise ConfigurationError("criterion.type\n    it has no gradient, which all that is measured here is about")
    drawn = progress_shown() and sys.stderr.isatty()
    clients = min(MOST_CLIENTS, cfg.federate.client_num)
    divided = divided_cfg(cfg, blocks)
    work = len(points) * sizes.work(clients, compared=divided is not None)
    with tqdm(total=work, unit="batch", dynamic_ncols=True, disable=not drawn) as bar:
        bench = _bench(cfg, divided, task, _chosen(cfg, folder, task), sizes, clients, bar)
        found = list(bench.findings(points))
    findings, gradients = [each for each, _ in found], [each for _, each in found]
    fitted = None
    if len(points) >= LEAST_POINTS:
        fitted = (
            fit(gradients, lambda each: each.batch_variance),
            fit(gradients, lambda each: each.client_variance),
        )
    text = page(findings, bench.chosen, _samples(cfg, bench), fitted)
    text += f"\n\n{duration(time.perf_counter() - started)}; {task.describe()}"
    return Measurement(text, _values(findings, bench, fitted))


def _points(cfg: CfgNode, folder: RunFolder, rounds: Sequence[RoundSelector]) -> dict[int, Tensor]:
    """Return the points [d] by the rounds that were done, in their order."""
    rebuilt = (rebuild(cfg, folder, wanted) for wanted in rounds)
    return dict(sorted((each.rounds_done, each.point) for each in rebuilt))


def _bench(
    cfg: CfgNode,
    divided: CfgNode | None,
    task: LearningTask,
    chosen: Chosen,
    sizes: Sizes,
    clients: int,
    bar: "tqdm[Any]",
) -> Bench:
    drawn = generator(stream_key(cfg.seed, "evaluation")).choice(cfg.federate.client_num, clients, replace=False)
    own = [task.data.partition.clients[client].train for client in np.sort(drawn)]
    exact = in_full_precision(cfg, task)
    size = _batch_size(cfg, own, sizes.batches)
    draws = [generator(stream_key(cfg.seed, "data", client=client, query=1)) for client in range(clients)]
    batches = [
        draw.choice(examples, (sizes.batches, size), replace=False) for draw, examples in zip(draws, own, strict=True)
    ]
    union = task.data.partition.union("train")
    draw = generator(stream_key(cfg.seed, "data", client=HESSIAN, query=1))
    examples = draw.choice(union, min(sizes.examples, len(union)), replace=False)
    counts = [len(each) if cfg.federate.weight_by == "dataset" else 1 for each in own]
    return Bench(
        exact.scorer,
        task.scorer if zeroth_order(cfg) else None,
        cfg.zo.mu,
        make_estimator(cfg.zo.estimator),
        [[exact.collate(indices) for indices in rows] for rows in batches],
        np.array(counts) / sum(counts),
        [exact.collate(np.array([index])) for index in examples],
        chosen,
        block_order(cfg, task.scorer.directions.blocks),
        divided and make_comparison(cfg, divided, task, exact, np.concatenate([*map(np.ravel, batches)]), sizes),
        sizes,
        cfg.seed,
        bar.update,
    )


def _chosen(cfg: CfgNode, folder: RunFolder, task: LearningTask) -> Chosen:
    steps = max(assemble_federation(cfg, task).server.sample(0).values())
    rate = base_rate(cfg)
    with folder.read():
        records = Ledger(folder.ledger).rounds()
    used = [client.learning_rate for record in records for client in record.clients] or [rate]
    scaled = step_rule(cfg) is not Plain
    clients, queries = clients_in_a_round(cfg), cfg.zo.queries
    return Chosen(rate, (min(used), max(used)), steps, clients, queries, task.parameters.size, scaled)


def _batch_size(cfg: CfgNode, own: Sequence[NDArray[np.int64]], batches: int) -> int:
    """Return the run's batch size, or a smaller one of which the smallest client has enough examples."""
    sizes = [len(examples) for examples in own]
    smallest = min(sizes)
    if smallest < batches:
        allowed = f"expected at most {smallest}" if smallest >= LEAST_BATCHES else f"{LEAST_BATCHES} are needed"
        raise ConfigurationError(
            f"--batches {batches}\n    client {sizes.index(smallest)} has {smallest} examples to train on; {allowed}"
        )
    return int(min(cfg.dataloader.batch_size, smallest // batches))


def _samples(cfg: CfgNode, bench: Bench) -> str:
    sizes, chosen = bench.sizes, bench.chosen
    return (
        f"Gradients: {len(bench.batches)} of {_counted(cfg.federate.client_num, 'client')}, {sizes.batches} batches of "
        f"{len(bench.batches[0][0].labels)} each; {_counted(sizes.estimates, 'estimate')} on each batch, of "
        f"{_counted(chosen.queries, 'query', 'queries')}. Hessian: mean loss of "
        f"{_counted(len(bench.examples), 'example')}, {sizes.pairs} pairs of vectors, {sizes.steps} steps of "
        f"Lanczos. d = {chosen.dimension:,}, H = {chosen.steps}, N = {chosen.clients}. "
        "± is one standard error: of gradients over batches, of the trace over vectors and examples, of the extreme "
        "eigenvalues over examples."
    )


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _values(findings: Sequence[Findings], bench: Bench, fitted: Fitted) -> dict[str, Any]:
    return {
        "chosen": asdict(bench.chosen),
        "sizes": asdict(bench.sizes),
        "points": [each.to_json() for each in findings],
        "constants": fitted and dict(zip(("batches", "clients"), map(asdict, fitted), strict=True)),
        "environment": environment(),
    }
