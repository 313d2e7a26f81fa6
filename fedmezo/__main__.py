"""The command ``fedmezo``: all programs by name, ``fedmezo COMMAND ...``, which also ``python -m fedmezo`` is."""

from fedmezo.core.process import EXIT_CODES, begin, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import nearest
from fedmezo.core.version import __version__

PROGRAMS = {  # by command; a module has parser(program) and main(arguments, program)
    "run": "fedmezo.commands.subcommands.run",
    "check": "fedmezo.commands.subcommands.check",
    "suggest": "fedmezo.commands.subcommands.suggest",
    "resume": "fedmezo.commands.subcommands.resume",
    "replay": "fedmezo.replay",
    "generate": "fedmezo.generate",
    "evaluate": "fedmezo.evaluate",
    "report": "fedmezo.report",
    "theory": "fedmezo.commands.subcommands.theory",
    "paper": "fedmezo.commands.experiments.suites.program",
    "sweep": "fedmezo.commands.experiments.sweeps.program",
    "node": "fedmezo.node",
    "config": "fedmezo.commands.subcommands.config",
}
COMMANDS = """commands:
  run       train, as a configuration says
  check     say what a run would be: parameters, bytes, time, memory
  suggest   probe a few rates and mu, and recommend
  resume    go on with a run

  replay    rebuild a run's model from its ledger; check it, export it
  generate  talk to a run's model, the base model beside it
  evaluate  put tasks to a run's model, before and after training
  report    write runs as one HTML page
  theory    measure on a run what the convergence analysis reasons with

  paper     run the tables and figures of the paper
  sweep     run a grid, or search a space
  node      work for one client of a federation
  config    list and show configurations, explain keys, complete in a shell

fedmezo COMMAND --help explains a command.
example: fedmezo run quickstart federate.total_round_num 5"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of what comes before the command."""
    parser = argparse.ArgumentParser(
        prog="fedmezo",
        usage="fedmezo [-h] [--version] COMMAND ...",
        description="Federated fine-tuning of large language models without backpropagation.",
        epilog=f"{COMMANDS}\n\n{EXIT_CODES.replace('--resume', 'fedmezo resume')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fedmezo {__version__}")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; of the programs, only the one that is called is imported."""
    if not arguments or arguments[0].startswith("-"):
        parser().parse_args(arguments[:1])
        parser().error("which command? fedmezo --help lists them")
    name, *rest = arguments
    if name not in PROGRAMS:
        near = nearest(name, PROGRAMS)
        print(f"fedmezo: {name}\n    there is no such command{near}; fedmezo --help lists them", file=sys.stderr)
        return ConfigurationError.exit_code
    code: int = import_module(PROGRAMS[name]).main(rest, f"fedmezo {name}")
    return code


def program() -> None:
    """Run as a program, or answer a shell that completes its command line."""
    if "_ARGCOMPLETE" in os.environ:
        from fedmezo.commands.completion import complete

        complete(parser(), PROGRAMS)
    sys.exit(run_program(main))


if __name__ == "__main__":
    program()
