"""Go on with a run that was stopped, or that more is asked of: the rounds to come are what they would have been."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands import runner
from fedmezo.commands.arguments import add_overrides, add_quiet, moved_hint
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.process import exit_code


def parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=program, description=__doc__, epilog=f"example: {program} runs/quickstart federate.total_round_num 12"
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of the run")
    add_overrides(parser, "federate.total_round_num 12")
    add_quiet(parser)
    return parser


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_intermixed_args(arguments)
    return exit_code(
        lambda: execute(options), lambda error: moved_hint(error, "model.type NAME@HUB on the command line")
    )


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Train what is left."""
    return runner.trained_code(runner.begun_run(options.run, options.overrides), quiet=options.quiet)
