"""``--suggest``: a rate and mu from a few probes at the initial point, without training anything."""

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm
from yacs.config import CfgNode

from fedmezo.assembly import LearningTask, assemble_learning_task, zeroth_order
from fedmezo.assembly.arguments import base_rate
from fedmezo.assembly.node import with_values
from fedmezo.assembly.precision import RECOMMENDED_FIDELITY
from fedmezo.commands.check import PAIRS_PER_BATCH, attempted, fidelity_batches, in_full_precision
from fedmezo.commands.suggest.method import faster
from fedmezo.commands.suggest.probe import Probe
from fedmezo.commands.suggest.search import Tried, chosen_mu, falls, flat, rises, search, two_digits
from fedmezo.config import to_dict
from fedmezo.config.check import AUTO
from fedmezo.core.log import progress_shown
from fedmezo.core.text import duration
from fedmezo.data.batches import Batch
from fedmezo.evaluation.fidelity import Setting, gradient_fidelities
from fedmezo.evaluation.theory.measured import Measured, mean
from fedmezo.zeroth_order.estimators.make import make_estimator

MU_FACTORS = (0.1, 1 / 3, 1.0, 3.0, 10.0)
FIDELITY_BATCHES = 2


def suggest(cfg: CfgNode) -> str:
    """Probe a few mu and rates and return what they tell, with the words to add to the command.

    Raises:
        FedmezoError: the run could not start either.
    """
    started = time.perf_counter()
    task = assemble_learning_task(cfg)
    parts, words = [], []
    if zeroth_order(cfg):
        mu, text = _mu(cfg, task)
        cfg = with_values(to_dict(cfg), {"zo.mu": mu})
        parts.append(text)
        words.append(f"zo.mu {mu:g}")
    tried, text = attempted(lambda: _rate(cfg, task))
    parts.append(text)
    if tried.recommended is not None:
        words.insert(0, f"train.optimizer.lr {tried.recommended:g}")
        if cfg.train.optimizer.lr == AUTO:
            words.insert(1, "zo.normalise newton")
        if cfg.train.train_strategy != "frozen":  # rates around it, in the ratio of the paper
            words.insert(1, f"train.lr_half_width {two_digits(tried.recommended / 2):g}")
    taken = f"{duration(time.perf_counter() - started)}; nothing was trained or written"
    if other := faster(cfg, task):
        parts.append(other)
    return "\n\n".join([*parts, f"add to the command: {' '.join(words)}" if words else "nothing to add", taken])


def _mu(cfg: CfgNode, task: LearningTask) -> tuple[float, str]:
    """Return a mu, and why."""
    configured = cfg.zo.mu
    if not task.scorer.differentiable:
        return configured, f"mu: {configured:g} as configured; criterion.type has no gradient to compare with"
    scales = sorted({configured, *(two_digits(configured * factor) for factor in MU_FACTORS)})
    estimator = make_estimator(cfg.zo.estimator)
    with _bar(FIDELITY_BATCHES, "mu") as bar:
        found = gradient_fidelities(
            [Setting(task.scorer, mu, estimator) for mu in scales],
            in_full_precision(cfg, task).scorer,
            task.start,
            _told(fidelity_batches(cfg, task, FIDELITY_BATCHES), bar),
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


def _rate(cfg: CfgNode, task: LearningTask) -> tuple[Tried, str]:
    """Return rates that were tried, and what follows."""
    with _bar(None, "rate") as bar:
        probe = Probe(cfg, task, bar)
        tried = search(probe, base_rate(cfg))
    rows = [f"  {rate:<9g} {_shown(mean(changes))}" for rate, changes in tried.changes.items()]
    return tried, "\n".join([f"rate: {probe.describe()}", *rows, _conclusion(tried)])


def _shown(change: Measured) -> str:
    verdict = "falls" if falls(change) else "rises" if rises(change) else "not told from zero"
    return f"{change.value:+.5f} ± {change.error:.1g}  {verdict}" if math.isfinite(change.value) else "not finite"


def _conclusion(tried: Tried) -> str:
    if tried.recommended is None:
        return _nothing(tried)
    found = f"it falls most at {tried.best:g}, and up to {tried.edge:g} at least"
    return (
        f"  -> {tried.recommended:g}: {found}{_doubt(tried)}\n"
        "  It is the best of one move along a few random directions, known to a factor of about two. As gradients\n"
        "  become smaller, noise does not: for a long run take less, or let train.scheduler.type lower it."
    )


def _nothing(tried: Tried) -> str:
    least, most = min(tried.changes), max(tried.changes)
    if not tried.changes[most].any():
        advice = "the loss does not move at all: begin with a larger train.optimizer.lr"
    elif rises(mean(tried.changes[least])):
        advice = "begin with a smaller train.optimizer.lr"
    else:
        advice = "more clients, queries or larger batches average noise away"
    return f"  -> none: no rate from {least:g} to {most:g} lowers the loss by two standard errors; {advice}"


def _doubt(tried: Tried) -> str:
    """Return what the rates that were tried leave open."""
    if not tried.worse_below:
        return "; the loss does not fall in proportion at the smallest rates, so that less may be better"
    if not tried.worse_above:
        return "; no larger rate was tried that is worse, so that more may be better"
    if tried.wide is None:
        return ""
    return (
        f"; {len(tried.changes)} rates were tried, and a better one may be from {tried.wide[0]:g} to {tried.wide[1]:g}"
    )


@contextmanager
def _bar(total: int | None, name: str) -> Iterator["tqdm[Any]"]:
    drawn = progress_shown() and sys.stderr.isatty()
    with tqdm(total=total, desc=name, unit="batch", leave=False, dynamic_ncols=True, disable=not drawn) as bar:
        yield bar


def _told(batches: Sequence[Batch], bar: "tqdm[Any]") -> Iterator[Batch]:
    for batch in batches:
        yield batch
        bar.update()
