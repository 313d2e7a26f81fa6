"""The rate of an arm: the best of a grid on validation data, with a seed that no other run has.

An arm with ``rates`` is run with each of them first. Where the best is the lowest or the highest of them, the next one
outwards is run as well, in the same ratio, until the best lies between two others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fedmezo.commands.experiments.suites.jobs import Job, folder_of_runs
from fedmezo.commands.experiments.suites.results import Finished
from fedmezo.commands.experiments.suites.suite import RATE, Arm, Suite
from fedmezo.commands.experiments.suites.tables import Table

SEED = 0
MOST = 8  # rates of an arm
ON_VALIDATION_DATA = {"eval.split": ["val"], "eval.best_res_update_round_wise_key": "val_loss"}

Screening = Mapping[Arm, Sequence[Job]]


def screening(suite: Suite, out: Path) -> Screening:
    """Return the runs that choose the rates of a suite's arms, as far as they are known from those that have ended."""
    return {arm: _screening(suite, arm, out) for arm in suite.arms if arm.rates}


def chosen(suite: Suite, found: Screening) -> Suite:
    """Return a suite whose arms have their rates; without those that none is known for yet."""
    losses = {arm: _losses(jobs) for arm, jobs in found.items() if all(job.ended for job in jobs)}
    known = (arm for arm in suite.arms if arm in losses or not arm.rates)
    arms = (_with(arm, best(losses[arm])) if arm in losses else arm for arm in known)
    return replace(suite, arms=tuple(arms), tried={arm.name: each for arm, each in losses.items()})


def screened(suite: Suite) -> Table:
    """Return the losses of the rates that were tried, a row an arm, the best in bold."""
    rows = [
        [name, "; ".join(_cell(rate, loss, bold=rate == best(found)) for rate, loss in sorted(found.items()))]
        for name, found in suite.tried.items()
    ]
    return ["arm", "rate: validation loss"], rows


def best(losses: Mapping[float, float]) -> float:
    """Return the rate with the lowest loss, the lowest such rate."""
    return min(sorted(losses), key=lambda rate: losses[rate])


def outwards(losses: Mapping[float, float]) -> float | None:
    """Return the rate to be tried next; None where the best lies between two others, or enough were tried.

    Examples:
        >>> outwards({0.01: 1.0, 0.02: 0.9})
        0.04
        >>> outwards({0.01: 1.0, 0.02: 0.9, 0.04: 9.0}) is None
        True
    """
    rates, at = sorted(losses), best(losses)
    if len(rates) >= MOST or rates[0] < at < rates[-1]:
        return None
    first, second = (rates[0], rates[1]) if at == rates[0] else (rates[-1], rates[-2])
    return float(f"{first * first / second:.3g}")


def _screening(suite: Suite, arm: Arm, out: Path) -> list[Job]:
    found = [_job(suite, arm, rate, out) for rate in arm.rates]
    while all(job.ended for job in found) and (rate := outwards(_losses(found))) is not None:
        found.append(_job(suite, arm, rate, out))
    return found


def _job(suite: Suite, arm: Arm, rate: float, out: Path) -> Job:
    own = _with(replace(arm, overrides={**arm.overrides, **ON_VALIDATION_DATA}), rate)
    return Job(own, SEED, folder_of_runs(suite, out) / f"{own.name}_seed{SEED}")


def _with(arm: Arm, rate: float) -> Arm:
    return replace(arm, overrides={**arm.overrides, RATE: rate}, rates=(), rate=rate)


def _losses(jobs: Sequence[Job]) -> dict[float, float]:
    """Return the validation loss by rate, infinite where the run was destroyed."""
    return {job.arm.rate: _loss(job) for job in jobs if job.arm.rate is not None}


def _loss(job: Job) -> float:
    run = Finished(job)
    loss = run.measure("after") if job.finished and run.sound else math.inf
    return loss if math.isfinite(loss) else math.inf


def _cell(rate: float, loss: float, *, bold: bool) -> str:
    text = f"{rate:g}: {loss:.4f}" if math.isfinite(loss) else f"{rate:g}: none"
    return f"**{text}**" if bold else text
