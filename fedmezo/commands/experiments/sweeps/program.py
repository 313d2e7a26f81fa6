"""Many runs over a grid, or a space that is searched, given in a YAML file; see configs/sweeps.

python scripts/sweep.py SWEEP [--workers N] [--resume] [-- key value ...]

Trials are ordinary runs in results/sweeps/NAME/runs; what they gave is in trials.csv and README.md beside it, the best
first. --resume goes on where a sweep stopped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands.arguments import described
from fedmezo.commands.experiments.suites.options import add_options_of_many, parse_options_of_many, resumable

PROGRAM = "python scripts/sweep.py"


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=described(__doc__, PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweep", metavar="SWEEP", help="a YAML file, or the name of one in configs/sweeps")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="default: results/sweeps/NAME")
    add_options_of_many(parser)
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parse_options_of_many(parser(program), arguments)
    return resumable(program, arguments, lambda: execute(options))


def execute(options: argparse.Namespace) -> int:
    """Run the sweep."""
    from fedmezo.commands.experiments.sweeps.run import run_sweep  # help is there before it

    return run_sweep(options)
