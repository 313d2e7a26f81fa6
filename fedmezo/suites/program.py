"""The program of ``scripts/paper.py``."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fedmezo.config.problems import nearest
from fedmezo.errors import ConfigurationError
from fedmezo.process import exit_code
from fedmezo.suites.jobs import Job, jobs, run_all
from fedmezo.suites.options import options_of_many
from fedmezo.suites.suite import Suite, load

SCALES = ("smoke", "cpu", "paper")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/paper.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suite", metavar="SUITE", nargs="+", help="names of configs/paper/*.yaml, or all")
    parser.add_argument("--scale", choices=SCALES, default="smoke", help="default: smoke")
    parser.add_argument("--seeds", metavar="N", type=int, help="seeds of each arm (default: as the scale says)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("results"), help="default: results")
    parser.add_argument("--report", action="store_true", help="run nothing: write the results of what is finished")
    return parser


def main(arguments: Sequence[str], folder: Path, description: str | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: of the command line.
        folder: of the suites.
        description: of the program.
    """
    options = options_of_many(parser(description), arguments)
    command = shlex.join(["python", "scripts/paper.py", *arguments])
    return exit_code(lambda: execute(options, folder, command))


def execute(options: argparse.Namespace, folder: Path, command: str) -> int:
    """Run suites, one after the other, and write their results."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    wanted = names if options.suite == ["all"] else options.suite
    for name in wanted:
        if name not in names:
            raise ConfigurationError(f"{name}\n    there is no such suite{nearest(name, names)}; {', '.join(names)}")
    suites = [load(folder / f"{name}.yaml", options.scale, options.seeds) for name in wanted]
    runs = {suite: jobs(suite, options.out) for suite in suites}
    begun = next((job.folder for own in runs.values() for job in own if job.folder.exists()), None)
    if begun is not None and not (options.resume or options.report):
        raise ConfigurationError(
            f"--out {options.out}\n    {begun} is there already: go on with --resume, or choose another folder"
        )
    todo = {} if options.report else {job: suite for suite in suites for job in runs[suite] if not job.finished}
    print(f"{sum(map(len, runs.values()))} runs, {len(todo)} of them to do", flush=True)
    failed = 0
    for suite in (each for each in suites if each not in todo.values()):
        leave(suite, runs[suite], options.out, command)
    for job in perform(todo, options):
        failed += not job.finished
        suite = todo.pop(job)
        if suite not in todo.values():
            leave(suite, runs[suite], options.out, command)
    if failed:
        print(f"{failed} runs failed", file=sys.stderr)
    return 1 if failed else 0


def perform(todo: Mapping[Job, Suite], options: argparse.Namespace) -> Iterator[Job]:
    """Run what is to be done, first what may share processes, and yield each run as it ends."""
    started, ended, total = time.monotonic(), 0, len(todo)
    for fresh in (False, True):
        own = [job for job, suite in todo.items() if (suite.fresh and suite.scale != "smoke") == fresh]
        for job, code in run_all(own, options.workers, options.overrides, fresh=fresh):
            ended += 1
            left = (time.monotonic() - started) / ended * (total - ended)
            state = "done" if code == 0 else f"exit code {code}, see {job.folder / 'run.log'}"
            print(
                f"  {ended}/{total} {todo[job].name} {job.folder.name}: {state}; {left / 60:.0f} min left", flush=True
            )
            yield job


def leave(suite: Suite, runs: Sequence[Job], out: Path, command: str) -> None:
    """Write the results of a suite, as far as they have come."""
    from fedmezo.suites.report import write
    from fedmezo.suites.results import finished

    done = finished(runs)
    if done:
        print(f"{suite.name}: {write(suite, done, out / suite.name / suite.scale, command)}", flush=True)
