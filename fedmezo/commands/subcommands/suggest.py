"""Probe a few rates and mu at the initial point, and recommend. Nothing is trained."""

import argparse
from collections.abc import Sequence
from functools import partial

from fedmezo import config
from fedmezo.commands import runner, shipped
from fedmezo.commands.arguments import configuration_parser
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.process import exit_code


def parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return configuration_parser(program, __doc__, "quickstart dataloader.batch_size 4", "zo.mu 1e-3")


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_intermixed_args(arguments)
    return exit_code(lambda: execute(options), partial(runner.embedded_hint, program=program, arguments=arguments))


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Recommend."""
    cfg = config.load(shipped.find(options.configuration), options.overrides)
    return runner.suggest(cfg, quiet=options.quiet)
