"""Running the trials of a sweep."""

import argparse
import shlex
import sys
from pathlib import Path

from fedmezo.commands import shipped
from fedmezo.commands.experiments.suites.checks import check_jobs
from fedmezo.commands.experiments.suites.jobs import Job, run_all
from fedmezo.commands.experiments.sweeps.sweep import load
from fedmezo.config.overrides import as_words
from fedmezo.core.errors import ConfigurationError, ResourceError


def run_sweep(options: argparse.Namespace) -> int:
    """Run the trials of a sweep that are to be run, and leave its tables."""
    sweep = load(shipped.find(options.sweep, "sweeps"), options.overrides)
    from fedmezo.commands.experiments.sweeps.tables import leave  # these take a second: mistakes are told before
    from fedmezo.commands.experiments.sweeps.trials import Trial, Trials

    out = options.out or Path("results", "sweeps", sweep.name)
    trials = Trials(sweep, out / "runs")
    if trials.begun and not options.resume:
        raise ConfigurationError(f"--out {out}\n    has trials already: go on with --resume, or choose another folder")
    check_jobs([trial.job for trial in trials.begun.values()], sweep.space, options.overrides)
    todo = sweep.size - len(trials.ranked)
    print(f"{sweep.size} trials, {todo} of them to do", flush=True)
    of: dict[Job, Trial] = {}
    codes: list[int] = []
    jobs = (of.setdefault(trial.job, trial).job for trial in trials.todo())
    for number, (job, code) in enumerate(run_all(jobs, options.workers, options.overrides, fresh=False), start=1):
        trial = of[job]
        codes.append(code)
        without = f"exit code {code}" if code else f"{sweep.metric} is not finite"
        score = without if trial.score is None else f"{sweep.metric} {trial.score:.4f}"
        print(f"  {number}/{todo} {job.folder.name}: {score}  {shlex.join(as_words(trial.values))}", flush=True)
        leave(sweep, trials.ranked, out, options.overrides)
        if code == ResourceError.exit_code:  # others would want the same
            print(
                f"stopped, as data, a model or memory cannot be had; {todo - number} trials are left", file=sys.stderr
            )
            break
    ended = trials.ranked
    leave(sweep, ended, out, options.overrides)
    print(f"{out / 'README.md'}, {out / 'trials.csv'}")
    failed = [trial for trial in ended if trial.score is None]
    if failed:
        where = failed[0].job.folder / "run.log"
        print(f"{len(failed)} trials have no {sweep.metric}, as {where} says", file=sys.stderr)
    wrong = [code for code in codes if code]
    return (wrong or [1])[0] if len(ended) < sweep.size or len(failed) == len(ended) else 0
