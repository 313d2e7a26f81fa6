"""Rebuild the model of a run from its ledger: ``python -m fedmezo.replay RUN``; check it, export it."""

from fedmezo.core.process import begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands.arguments import moved_hint, read_run, run_parser, wanted_round
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.log import on_screen

PROGRAM = "python -m fedmezo.replay"


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = run_parser(__doc__, PROGRAM, program)
    parser.add_argument(
        "--round", metavar="R", type=wanted_round, default="final", help="after how many rounds; final (default), best"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="replay from the base model on, compare every recorded hash, and the adapter that the run saved",
    )
    parser.add_argument(
        "--export",
        choices=("adapter", "merged"),
        help="write the adapter, or the model with the adapter in its weights",
    )
    parser.add_argument("--to", metavar="FOLDER", type=Path, help="where to (default: RUN/WHAT_after_R)")
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_args(arguments)
    return exit_code(lambda: execute(options), moved_hint)


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Rebuild, and say what was found."""
    folder, cfg = read_run(options.run, options.model)
    with on_screen(1):
        from fedmezo.commands.replay import replay

        raise_on_interrupt()
        print(replay(cfg, folder, options.round, options.verify, options.export, options.to))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
