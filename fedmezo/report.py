"""The report of runs: ``python -m fedmezo.report RUN [RUN ...]``, one HTML file that needs no network."""

from fedmezo.core.process import begin, exit_code, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands.arguments import described
from fedmezo.commands.report import NAME, report

PROGRAM = "python -m fedmezo.report"


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog=program, description=described(__doc__, PROGRAM, program))
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="the folders of runs, finished or not")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help=f"where to (default: RUN/{NAME} of a single run, {NAME} here of several); what is there is overwritten",
    )
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_args(arguments)
    return exit_code(lambda: execute(options))


def execute(options: argparse.Namespace) -> int:
    """Write the report."""
    report(options.runs, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
