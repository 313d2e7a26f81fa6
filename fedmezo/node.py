"""Work for one client of a federation: ``fedmezo-node --cfg FILE --superlink HOST:PORT --client I [key value ...]``.

The process loads model and data once, connects to the SuperLink, and answers the orders of one run after the other. It
executes no code that it is sent. Ctrl-C or SIGTERM ends it once the order at hand is done.
"""

from fedmezo.core.process import begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo import config
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.installed import check_installed
from fedmezo.core.interrupt import graceful_stop
from fedmezo.core.log import LOG, on_screen

STOPPING = "finishing this order, then leaving (again to leave at once) ..."


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="fedmezo-node", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
    parser.add_argument("overrides", metavar="key value", nargs="*", help="overrides, as in engine.threads 1")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = parser().parse_intermixed_args(arguments)
    return exit_code(lambda: execute(options))


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Load, connect, and answer until told to stop."""
    cfg = config.load(options.cfg, options.overrides)
    _check(options, cfg.federate.client_num)
    with on_screen(cfg.verbose):
        check_installed("fedmezo-node", {"flwr": "flower"})
        from fedmezo.assembly.node import assemble_node
        from fedmezo.federation.engines.flower_internals import serve
        from fedmezo.federation.engines.node_server import NodeServer

        raise_on_interrupt()
        first = assemble_node(cfg, options.client, own_data=options.own_data)
        server = NodeServer(lambda: assemble_node(cfg, options.client, own_data=options.own_data), first)
        with graceful_stop(STOPPING) as stop:
            LOG.info(f"client {options.client}: model and data are loaded")
            serve(
                options.superlink,
                options.root_certificates,
                options.key,
                lambda run, letter: server(run, options.client, letter),
                options.poll,
                stop,
            )
        LOG.info("left")
    return 0


def _check(options: argparse.Namespace, clients: int) -> None:
    if not 0 <= options.client < clients:
        raise ConfigurationError(f"--client {options.client}\n    expected 0 to {clients - 1} (federate.client_num)")
    host, _, port = options.superlink.rpartition(":")
    if not re.fullmatch(r"[^\s/:]+", host) or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"--superlink {options.superlink}\n    expected HOST:PORT")
    if not 0 < options.poll < float("inf"):
        raise ConfigurationError(f"--poll {options.poll}\n    expected a number of seconds > 0")
    if options.key is not None and options.root_certificates is None:
        raise ConfigurationError("--key\n    a key is of use over TLS only: give --root-certificates too")
    for option in ("root_certificates", "key"):
        path = getattr(options, option)
        if path is not None and not path.is_file():
            raise ConfigurationError(f"--{option.replace('_', '-')} {path}\n    no such file")


def program() -> None:
    """Run as a program."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(run_program(main))


if __name__ == "__main__":
    program()
