"""``--suggest``: a rate and mu from a few probes at the initial point, without training anything."""

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm
from yacs.config import CfgNode

from fedmezo.assembly import Federation, Problem, assemble_federation, assemble_problem, zeroth_order
from fedmezo.assembly.node import with_values
from fedmezo.assembly.precision import RECOMMENDED_FIDELITY
from fedmezo.config import to_dict
from fedmezo.criteria.make import differentiable
from fedmezo.data.batches import Batch
from fedmezo.errors import ConfigurationError
from fedmezo.evaluation.fidelity import Setting, gradient_fidelities
from fedmezo.federation.messages import Plan
from fedmezo.inspection import PAIRS_PER_BATCH, attempted, fidelity_batches, in_full_precision
from fedmezo.ledger.records import RoundRecord
from fedmezo.log import progress_shown
from fedmezo.randomness import generator, stream_key
from fedmezo.theory.choice import Tried, chosen_mu, falls, flat, rises, search, two_digits
from fedmezo.theory.measured import Measured, mean
from fedmezo.tracking.summary import duration

MU_FACTORS = (0.1, 1 / 3, 1.0, 3.0, 10.0)
FIDELITY_BATCHES = 4
DIRECTIONS = 30  # about as many steps of all clients together make the move that is tried
DESCENTS = 10  # steps of each client, at most, where weights travel: they are taken anew for every rate
EXAMPLES = 64  # that a move is tried on
LEAST_EXAMPLES = 16  # of a validation set, to be used for that
HELD = -4  # the "client" of the stream that they are drawn from


def suggest(cfg: CfgNode) -> str:
    """Probe a few mu and rates and return what they tell, with the words to add to the command.

    Raises:
        FedmezoError: the run could not start either.
    """
    started = time.perf_counter()
    problem = assemble_problem(cfg)
    parts, words = [], []
    if zeroth_order(cfg):
        mu, text = _mu(cfg, problem)
        cfg = with_values(to_dict(cfg), {"zo.mu": mu})
        parts.append(text)
        words.append(f"zo.mu {mu:g}")
    tried, text = attempted(lambda: _rate(cfg, problem))
    parts.append(text)
    if tried.recommended is not None:
        words.insert(0, f"train.optimizer.lr {tried.recommended:g}")
        if cfg.train.train_strategy != "frozen":  # rates around it, in the ratio of the paper
            words.insert(1, f"train.lr_half_width {two_digits(tried.recommended / 2):g}")
    taken = f"{duration(time.perf_counter() - started)}; nothing was trained or written"
    return "\n\n".join([*parts, f"add to the command: {' '.join(words)}" if words else "nothing to add", taken])


def _mu(cfg: CfgNode, problem: Problem) -> tuple[float, str]:
    """Return a mu, and why."""
    configured = cfg.zo.mu
    if not differentiable(problem.scorer.criterion):
        return configured, f"mu: {configured:g} as configured; criterion.type has no gradient to compare with"
    scales = sorted({configured, *(two_digits(configured * factor) for factor in MU_FACTORS)})
    with _bar(FIDELITY_BATCHES, "mu") as bar:
        found = gradient_fidelities(
            [Setting(problem.scorer, mu, cfg.zo.estimator) for mu in scales],
            in_full_precision(cfg, problem).scorer,
            problem.start,
            _told(fidelity_batches(cfg, problem, FIDELITY_BATCHES), bar),
            directions_per_batch=PAIRS_PER_BATCH,
            seed=cfg.seed,
        )
    pairs = found[0].pairs
    errors = [(1.0 - each.correlation**2) / math.sqrt(pairs - 1) for each in found]
    fidelities = {
        mu: Measured(each.correlation, error, pairs) for mu, each, error in zip(scales, found, errors, strict=True)
    }
    chosen = chosen_mu(fidelities, configured)
    rows = [f"  {mu:<9g} {each.value:.4f} ± {each.error:.1g}" for mu, each in fidelities.items()]
    return chosen, "\n".join(
        [
            f"mu: correlation of projected gradients with the exact derivative, {pairs} pairs",
            *rows,
            _why(chosen, configured, fidelities),
        ]
    )


def _why(chosen: float, configured: float, fidelities: Mapping[float, Measured]) -> str:
    alike = flat(fidelities)
    if not alike:
        return f"  -> {chosen:g} as configured: the derivative is zero, or not finite, so that this tells nothing"
    low = fidelities[chosen].value < RECOMMENDED_FIDELITY
    warning = f"; below {RECOMMENDED_FIDELITY}: take larger batches, or train.is_enable_half False" if low else ""
    kept = "as configured" if chosen == configured else f"{configured:g} as configured is outside"
    ends = f"flat from {alike[0]:g} to {alike[-1]:g}" if len(alike) > 1 else "better than the others"
    return f"  -> {chosen:g}: {ends}, {kept}{warning}"


def _rate(cfg: CfgNode, problem: Problem) -> tuple[Tried, str]:
    """Return rates that were tried, and what follows."""
    probe = Probe(cfg, problem)
    with _bar(None, "rate") as bar:
        tried = search(lambda rate: probe(rate, bar), cfg.train.optimizer.lr)
    rows = [f"  {rate:<9g} {_shown(mean(changes))}" for rate, changes in tried.changes.items()]
    return tried, "\n".join([f"rate: {probe.describe()}", *rows, _conclusion(tried)])


def _shown(change: Measured) -> str:
    verdict = "falls" if falls(change) else "rises" if rises(change) else "not told from zero"
    return f"{change.value:+.5f} ± {change.error:.1g}  {verdict}" if math.isfinite(change.value) else "not finite"


def _conclusion(tried: Tried) -> str:
    if tried.recommended is None:
        return (
            "  -> none: no rate lowers the loss by two standard errors; more clients, queries or larger batches "
            "average noise away"
        )
    unsure = "" if tried.bracketed else "; no larger rate was tried that is worse, so that more may be better"
    return (
        f"  -> {tried.recommended:g}: it falls most at {tried.best:g}, and up to {tried.edge:g} at least{unsure}\n"
        "  It is the best of one move along a few random directions, known to a factor of about two. As gradients\n"
        "  become smaller, noise does not: for a long run take less, or let train.scheduler.type lower it."
    )


class Probe:
    """The paired change of the loss by one move from the initial point, with the same directions and batches.

    Projected gradients are learnt once, at the initial point; where they lead to is then known for any rate. Where
    weights travel, the steps are taken anew for every rate.
    """

    def __init__(self, cfg: CfgNode, problem: Problem) -> None:
        self._problem = problem
        self.federation = assemble_federation(cfg, problem)
        plan = self.federation.server.plan(0)
        validation = problem.data.partition.union("val")
        separate = len(validation) >= LEAST_EXAMPLES
        steps = _steps(cfg, self.federation, plan, halved=not separate)
        self.plan = Plan(0, tuple(replace(task, steps=steps) for task in plan.tasks))
        self._where = "val" if separate else "train, unused by them"
        self.batches = _batches(cfg, problem, validation if separate else self._unused())
        self._record = self._round(0.0) if self.federation.scalars else None
        self._before: NDArray[np.float64] | None = None

    def _unused(self) -> NDArray[np.int64]:
        """Return the training examples that the move does not learn from."""
        own, tasks = self.federation.local_data, self.plan.tasks
        used = [own.indices(task.client, step) for task in tasks for step in range(task.steps)]
        return np.setdiff1d(self._problem.data.partition.union("train"), np.concatenate(used))

    def describe(self) -> str:
        """Return what the changes are of, in words."""
        steps = sum(task.steps for task in self.plan.tasks)
        examples = sum(len(batch.labels) for batch in self.batches)
        return (
            f"change of the loss by {steps} steps of {len(self.plan.tasks)} clients from the initial point, "
            f"on {examples} examples of {self._where}, paired"
        )

    def __call__(self, rate: float, bar: "tqdm[Any]") -> NDArray[np.float64]:
        """Return the changes at a rate, batch by batch."""
        start = self._problem.start
        if self._before is None:
            self._before = self._losses(start, bar)
        bar.set_description_str(f"rate {rate:g}")
        record = self._at_rate(rate)
        with self._problem.scorer.restoring(start):
            out = start if self.federation.server.in_place else None
            point = self.federation.server.aggregation.apply(record, start, out)
            after = self._losses(point, bar)
        return after - self._before

    def _at_rate(self, rate: float) -> RoundRecord:
        if self._record is None:
            return self._round(rate)
        return replace(self._record, clients=tuple(replace(row, learning_rate=rate) for row in self._record.clients))

    def _round(self, rate: float) -> RoundRecord:
        """Return the record of a round in which all clients have a rate."""
        tasks = tuple(replace(task, learning_rate=rate) for task in self.plan.tasks)
        replies = (self.federation.work(task, self._problem.start) for task in tasks)
        return self.federation.server.aggregate(Plan(0, tasks), replies)

    def _losses(self, point: Tensor, bar: "tqdm[Any]") -> NDArray[np.float64]:
        found = []
        for batch in self.batches:
            found.append(self._problem.scorer.loss(point, batch))
            bar.update()
        return np.array(found)


def _steps(cfg: CfgNode, federation: Federation, plan: Plan, *, halved: bool) -> int:
    """Return the steps of each client; ``halved`` leaves it half of its examples."""
    wanted = math.ceil(DIRECTIONS / len(plan.tasks) / int(cfg.zo.queries))
    if not federation.scalars:
        wanted = min(DESCENTS, *(task.steps for task in plan.tasks))
    smallest = min(len(federation.local_data.examples[task.client]) for task in plan.tasks)
    return max(1, min(wanted, smallest // (2 * int(cfg.dataloader.batch_size)))) if halved else wanted


def _batches(cfg: CfgNode, problem: Problem, pool: NDArray[np.int64]) -> list[Batch]:
    """Return batches of some of the examples of a pool."""
    size = cfg.dataloader.batch_size
    count = min(len(pool), EXAMPLES) // size
    if count < 2:
        raise ConfigurationError(
            f"--suggest\n    {len(pool)} examples are left to try rates on, expected at least {2 * size}: two batches"
        )
    draw = generator(stream_key(cfg.seed, "data", client=HELD, query=1))
    return [problem.collate(indices) for indices in draw.choice(pool, (count, size), replace=False)]


@contextmanager
def _bar(total: int | None, name: str) -> Iterator["tqdm[Any]"]:
    drawn = progress_shown() and sys.stderr.isatty()
    with tqdm(total=total, desc=name, unit="batch", leave=False, dynamic_ncols=True, disable=not drawn) as bar:
        yield bar


def _told(batches: Sequence[Batch], bar: "tqdm[Any]") -> Iterator[Batch]:
    for batch in batches:
        yield batch
        bar.update()
