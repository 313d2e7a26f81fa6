"""The trials of a sweep: their runs' folders are all that is kept, and all that is needed to go on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fedmezo.commands.experiments.suites.jobs import Job
from fedmezo.commands.experiments.suites.results import Finished
from fedmezo.commands.experiments.suites.suite import Arm
from fedmezo.commands.experiments.sweeps.sweep import Ended, Range, Sweep, Values
from fedmezo.config.tree import leaves
from fedmezo.core.errors import ConfigurationError


@dataclass(frozen=True)
class Trial:
    """A trial.

    Args:
        number: from 0.
        values: of the space's keys.
        job: its run.
        metric: what is asked of it.
    """

    number: int
    values: Values
    job: Job
    metric: str

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do, be it that it diverged."""
        return self.job.ended

    @property
    def score(self) -> float | None:
        """The last value of the metric; None where the run failed or has none."""
        curve = Finished(self.job).curve(self.metric) if self.job.finished else []
        return curve[-1][1] if curve and math.isfinite(curve[-1][1]) else None


class Trials:
    """The trials of a sweep, those that a folder has and those to come.

    Args:
        sweep: it.
        folder: of the runs.

    Raises:
        ConfigurationError: the folder has a trial of another space.
    """

    def __init__(self, sweep: Sweep, folder: Path) -> None:
        self.sweep, self.folder = sweep, folder
        self.begun: dict[int, Trial] = {}
        for number in range(sweep.size):
            path = self._job(number, {}).folder / "config.yaml"
            if path.exists():
                self.begun[number] = self._trial(number, self._values(path))

    def todo(self) -> Iterator[Trial]:
        """Yield what is to be run: first what was begun, then new ones, each from all that is known then."""
        yield from [trial for trial in self.begun.values() if not trial.ended]
        for number in range(self.sweep.size):
            if number not in self.begun:
                self.begun[number] = self._trial(number, self._propose(number))
                yield self.begun[number]

    @property
    def ranked(self) -> list[Trial]:
        """Trials that have ended, the best first, failed ones last."""
        sign = 1 if self.sweep.goal == "min" else -1
        ended = [trial for trial in self.begun.values() if trial.ended]
        return sorted(ended, key=lambda trial: (trial.score is None, sign * (trial.score or 0.0), trial.number))

    def _propose(self, number: int) -> Values:
        if self.sweep.sampler == "grid":
            return self.sweep.grid[number]
        from fedmezo.commands.experiments.sweeps.search import propose

        ended = [Ended(each.values, each.score) for each in self.begun.values() if each.ended]
        return propose(self.sweep, number, ended, [each.values for each in self.begun.values() if not each.ended])

    def _trial(self, number: int, values: Values) -> Trial:
        return Trial(number, values, self._job(number, values), self.sweep.metric)

    def _job(self, number: int, values: Values) -> Job:
        arm = Arm({"trial": str(number)}, self.sweep.cfg, {**self.sweep.fixed, **values})
        return Job(arm, self.sweep.seed, self.folder / f"trial_{number:04}")

    def _values(self, path: Path) -> dict[str, Any]:
        """Return the values that a trial's run has for the space's keys."""
        found: dict[str, Any] = {}
        there = leaves(yaml.safe_load(path.read_text(encoding="utf-8")))
        for key, dimension in self.sweep.space.items():
            value = there[key]
            if isinstance(dimension, Range):
                known = [value] if isinstance(value, int | float) and dimension.low <= value <= dimension.high else []
            else:
                known = [each for each in dimension if each == value]
            if not known:
                raise ConfigurationError(
                    f"{path}  {key}\n    is {value}, which the space has not: choose another folder with --out"
                )
            found[key] = known[0]
        return found
