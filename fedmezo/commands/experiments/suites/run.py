"""Running suites of the paper, one after the other, and writing their results."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from fedmezo.commands.experiments.suites.checks import check_jobs
from fedmezo.commands.experiments.suites.jobs import Job, folder_of_runs, jobs, run_all
from fedmezo.commands.experiments.suites.rates import Screening, chosen, screening
from fedmezo.commands.experiments.suites.suite import Suite, load
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.text import nearest
from fedmezo.evaluation.tasks.tasks import check_tasks


def run_suites(options: argparse.Namespace, program: str, folder: Path) -> int:
    """Run suites, one after the other, and write their results."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    wanted = names if options.suite == ["all"] else list(dict.fromkeys(options.suite))
    for name in wanted:
        if name not in names:
            raise ConfigurationError(f"{name}\n    there is no such suite{nearest(name, names)}; {', '.join(names)}")
    suites = [load(folder / f"{name}.yaml", options.scale, options.seeds) for name in wanted]
    begun = next((path for suite in suites for path in sorted(folder_of_runs(suite, options.out).glob("*"))), None)
    if begun is not None and not (options.resume or options.report):
        raise ConfigurationError(
            f"--out {options.out}\n    {begun} is there already: go on with --resume, or choose another folder"
        )
    for suite in suites:
        check_jobs(jobs(suite, options.out), suite.own_keys, options.overrides)
        if suite.evaluation and not options.report:
            check_tasks(suite.evaluation.tasks)
    found = {suite: screening(suite, options.out) for suite in suites}
    if code := _screen(found, options):
        return code
    suites = [chosen(suite, screening(suite, options.out)) for suite in suites]
    runs = {suite: jobs(suite, options.out) for suite in suites}
    for suite in suites:
        check_jobs(runs[suite], suite.own_keys, options.overrides)
    todo = {} if options.report else {job: suite for suite in suites for job in runs[suite] if not job.ended}
    print(f"{sum(map(len, runs.values()))} runs, {len(todo)} of them to do", flush=True)
    codes = [leave(suite, runs[suite], options, program) for suite in suites if suite not in todo.values()]
    for job, code in perform(todo, options):
        suite = todo.pop(job)
        codes.append(code)
        if suite not in todo.values():
            codes.append(leave(suite, runs[suite], options, program))
        if code == ResourceError.exit_code:  # others would want the same
            print(f"stopped: data, a model or memory cannot be had; {len(todo)} runs are left", file=sys.stderr)
            break
    failed = [code for code in codes if code]
    if failed:
        print(f"{len(failed)} runs failed", file=sys.stderr)
    return failed[0] if failed else 0


def _screen(found: dict[Suite, Screening], options: argparse.Namespace) -> int:
    """Run what chooses rates until they are known, and return the exit code of what could not be run."""
    while True:
        for suite, own in found.items():
            check_jobs(chain(*own.values()), suite.own_keys, options.overrides)
        todo = {job: suite for suite, own in found.items() for job in chain(*own.values()) if not job.ended}
        if options.report or not todo:
            return 0
        print(f"{len(todo)} runs to choose rates by", flush=True)
        for job, code in perform(todo, options):
            if not job.ended:  # one that diverged has ended: so much for its rate
                print(f"stopped: without {job.folder.name} a rate is not known", file=sys.stderr)
                return code or 1
        found = {suite: screening(suite, options.out) for suite in found}


def perform(todo: Mapping[Job, Suite], options: argparse.Namespace) -> Iterator[tuple[Job, int]]:
    """Run what is to be done, first what may share processes, and yield each run and its exit code as it ends."""
    started, ended, total = time.monotonic(), 0, len(todo)
    for fresh in (False, True):
        own = [job for job, suite in todo.items() if (suite.fresh and suite.scale != "smoke") == fresh]
        for job, code in run_all(own, options.workers, options.overrides, fresh=fresh):
            ended += 1
            left = (time.monotonic() - started) / ended * (total - ended)
            state = "done" if code == 0 else f"exit code {code}, see the logs in {job.folder}"
            print(
                f"  {ended}/{total} {todo[job].name} {job.folder.name}: {state}; {left / 60:.0f} min left", flush=True
            )
            yield job, code


def leave(suite: Suite, runs: Sequence[Job], options: argparse.Namespace, program: str) -> int:
    """Write the results of a suite, as far as they have come, and return the exit code of doing so."""
    from fedmezo.commands.experiments.suites.report import write

    if not any(job.ended for job in runs):
        print(f"{suite.name}: no run of it has come to its end", flush=True)
        return 0
    seeds = ["--seeds", str(options.seeds)] if options.seeds else []
    words = [*shlex.split(program), suite.name, "--scale", suite.scale, *seeds, *options.given]
    try:
        page = write(suite, runs, options.out / suite.name / suite.scale, shlex.join(words))
        print(f"{suite.name}: {page}", flush=True)
    except ResourceError as error:  # of one suite: the others are written
        print(f"{suite.name}: {error}", file=sys.stderr)
        return error.exit_code
    return 0
