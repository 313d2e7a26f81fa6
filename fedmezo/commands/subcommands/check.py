"""Load model and data, and say what a run would be: clients, parameters, bytes, time, memory. Nothing is trained."""

import argparse
from collections.abc import Sequence
from functools import partial

from fedmezo.commands import runner, shipped
from fedmezo.commands.arguments import configuration_parser
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.process import exit_code


def parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = configuration_parser(program, __doc__, "quickstart train.is_enable_half True", "zo.mu 1e-3")
    parser.add_argument(
        "--fidelity",
        metavar="PAIRS",
        type=int,
        help="measure gradient fidelity over so many (direction, batch) pairs, at least 2",
    )
    return parser


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_intermixed_args(arguments)
    return exit_code(lambda: execute(options), partial(runner.embedded_hint, program=program, arguments=arguments))


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Say what the run would be."""
    if options.fidelity is not None and options.fidelity < 2:
        raise ConfigurationError(f"--fidelity {options.fidelity}\n    expected at least 2 pairs")
    prepared = runner.new_run(shipped.find(options.configuration), options.overrides, may_exist=True)
    return runner.check(prepared.cfg, options.fidelity, quiet=options.quiet)
