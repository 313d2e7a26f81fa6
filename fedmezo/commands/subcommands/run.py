"""Train: a configuration becomes a run, in a folder of its own, which ``fedmezo resume`` can go on with."""

import argparse
from collections.abc import Sequence
from functools import partial

from fedmezo.commands import runner, shipped
from fedmezo.commands.arguments import configuration_parser
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.process import exit_code


def parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return configuration_parser(program, __doc__, "quickstart federate.total_round_num 5", "train.optimizer.lr 1e-5")


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_intermixed_args(arguments)
    return exit_code(lambda: execute(options), partial(runner.embedded_hint, program=program, arguments=arguments))


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Train."""
    prepared = runner.new_run(shipped.find(options.configuration), options.overrides)
    return runner.trained_code(prepared, quiet=options.quiet)
