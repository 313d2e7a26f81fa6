"""Work for one client of a federation: ``fedmezo-node --cfg FILE --superlink HOST:PORT --client I [key value ...]``.

The process loads model and data once, connects to the SuperLink, and answers the orders of one run after the other. It
executes no code that it is sent. Ctrl-C or SIGTERM ends it once the order at hand is done.
"""

from fedmezo.core.process import begin, exit_code, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo import config
from fedmezo.commands.arguments import add_overrides, described
from fedmezo.commands.node import Connection, work
from fedmezo.core.extensions import named_mistakes

PROGRAM = "fedmezo-node"


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=described(__doc__, PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cfg", metavar="FILE", type=Path, required=True, help="the configuration, as the server's")
    parser.add_argument("--superlink", metavar="HOST:PORT", required=True, help="where orders come from")
    parser.add_argument("--client", metavar="I", type=int, required=True, help="the client to work for, from 0")
    parser.add_argument(
        "--own-data",
        action="store_true",
        help="data.* of FILE are this client's alone (default: its part of the division that the server makes)",
    )
    parser.add_argument(
        "--root-certificates", metavar="FILE", type=Path, help="to check the SuperLink's (default: no TLS)"
    )
    parser.add_argument(
        "--key", metavar="FILE", type=Path, help="the node's private key, if the SuperLink asks for one"
    )
    parser.add_argument(
        "--poll", metavar="S", type=float, default=0.5, help="seconds between looks for orders, when idle (default 0.5)"
    )
    add_overrides(parser, "engine.threads 1")
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_intermixed_args(arguments)
    return exit_code(lambda: execute(options))


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Work until told to stop."""
    cfg = config.load(options.cfg, options.overrides)
    connection = Connection(options.superlink, options.root_certificates, options.key, options.poll)
    work(cfg, options.client, connection, own_data=options.own_data)
    return 0


def program() -> None:
    """Run as a program."""
    sys.exit(run_program(main))


if __name__ == "__main__":
    program()
