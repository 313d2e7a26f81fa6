"""The report of runs: ``python -m fedmezo.report RUN [RUN ...]``, one HTML file that needs no network."""

from fedmezo.core.process import begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo.core import run_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.run_folder import RunFolder

NAME = "report.html"
SUFFIXES = (".html", ".htm")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m fedmezo.report", description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="the folders of runs, finished or not")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help=f"where to (default: RUN/{NAME} of a single run, {NAME} here of several); what is there is overwritten",
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: execute(options))


def execute(options: argparse.Namespace) -> int:
    """Write the report, and say where it is and what of the runs is missing."""
    folders = [run_folder.existing(path) for path in options.runs]
    target = options.out or (folders[0].path / NAME if len(folders) == 1 else Path(NAME))
    check_target(target)
    from fedmezo.reporting.html.page import render
    from fedmezo.reporting.html.reading import read_runs

    raise_on_interrupt()
    runs = read_runs(folders)
    page = render(runs)
    RunFolder(target.parent).write_text(target.name, page)
    for run in runs:
        for note in run.notes:
            print(f"{run.label}: {note}", file=sys.stderr)
    print(f"report: {target} ({len(page.encode()) / 1e6:.1f} MB, {', '.join(f'{r.label}: {r.outcome}' for r in runs)})")
    return 0


def check_target(path: Path) -> None:
    """Make sure that nothing but a page is overwritten.

    Raises:
        ConfigurationError: the name is not that of a page, or there is no such folder.
    """
    if path.suffix not in SUFFIXES or path.is_dir():
        raise ConfigurationError(f"--out {path}\n    expected the name of a page, as in {path.with_suffix('.html')}")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--out {path}\n    there is no folder {path.parent}")


if __name__ == "__main__":
    sys.exit(run_program(main))
