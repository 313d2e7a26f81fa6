"""The paper's tables and figures, and our own additions: one suite each, from grids in configs/paper/*.yaml.

python scripts/paper.py SUITE ... [--scale smoke|cpu|paper] [--seeds 3] [--resume] [-- key value ...]

- smoke: the tiny model, one seed: that everything works.
- cpu: SmolLM2-135M with few rounds on two cores; wants data: -- data.root FOLDER
- paper: the published settings, for a GPU.

--resume goes on with suites where they stopped. Results are in results/SUITE/SCALE: README.md (a page with table and
figure), runs.csv, table.tex, figure.png, figure.pdf, environment.json; every run is an ordinary one, in runs/ there.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fedmezo.commands import shipped
from fedmezo.commands.arguments import described, positive
from fedmezo.commands.experiments.suites.checks import check_jobs
from fedmezo.commands.experiments.suites.jobs import Job, jobs, run_all
from fedmezo.commands.experiments.suites.options import add_options_of_many, parse_options_of_many, resumable
from fedmezo.commands.experiments.suites.suite import Suite, load
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.text import nearest
from fedmezo.evaluation.tasks.tasks import check_tasks

PROGRAM = "python scripts/paper.py"
SCALES = ("smoke", "cpu", "paper")


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=described(__doc__, PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", metavar="SUITE", nargs="+", help="names of configs/paper/*.yaml, or all")
    parser.add_argument("--scale", choices=SCALES, default="smoke", help="default: smoke")
    parser.add_argument("--seeds", metavar="N", type=positive, help="seeds of each arm (default: as the scale says)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("results"), help="default: results")
    parser.add_argument("--report", action="store_true", help="run nothing: write the results of what is finished")
    add_options_of_many(parser)
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM, folder: Path | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: of the command line.
        program: as the user calls it.
        folder: of the suites; None: those that are shipped.
    """
    options = parse_options_of_many(parser(program), arguments)
    return resumable(program, arguments, lambda: execute(options, program, folder or shipped.folder() / "paper"))


def execute(options: argparse.Namespace, program: str, folder: Path) -> int:
    """Run suites, one after the other, and write their results."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    wanted = names if options.suite == ["all"] else list(dict.fromkeys(options.suite))
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
    for suite in suites:
        check_jobs(runs[suite], suite.own_keys, options.overrides)
        if suite.evaluation and not options.report:
            check_tasks(suite.evaluation.tasks)
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
