"""Arguments that several programs take: a configuration, overrides of its keys, a run, a round, numbers."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fedmezo.core import run_folder
from fedmezo.core.errors import FedmezoError, ModelUnavailableError
from fedmezo.core.run_folder import RunFolder

if TYPE_CHECKING:
    from yacs.config import CfgNode

    from fedmezo.commands.load_run import RoundSelector

READING = ("federate.participation", "''")  # whose participation a run repeated is not needed to read it


def described(text: str | None, program: str, called: str) -> str:
    """Return the text of a program's module with the program as it was called."""
    return (text or "").replace(program, called)


def configuration_parser(program: str, text: str | None, example: str, override: str) -> argparse.ArgumentParser:
    """Return the parser of a program that takes a configuration and overrides; for ``parse_intermixed_args``.

    Args:
        program: as it was called.
        text: of the program's module.
        example: what may follow the program.
        override: another example, of an override.
    """
    parser = argparse.ArgumentParser(prog=program, description=text, epilog=f"example: {program} {example}")
    parser.add_argument(
        "configuration",
        metavar="CONFIGURATION",
        help="a YAML file, or the name of a shipped configuration (fedmezo config list)",
    )
    add_overrides(parser, override)
    add_quiet(parser)
    return parser


def add_overrides(parser: argparse.ArgumentParser, example: str) -> None:
    """Let a command line end in ``key value ...``; to be parsed by ``parse_intermixed_args``."""
    # argparse takes -1 for a value but -1e-5 for an option, unless told what a number is
    parser._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
    parser.add_argument("overrides", metavar="key value", nargs="*", default=[], help=f"overrides, as in {example}")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Let a command line ask for errors only."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only (RUN/run.log has the rest)")


def run_parser(text: str | None, program: str, called: str) -> argparse.ArgumentParser:
    """Return the parser of a program that reads a run, wherever the run's base model is now.

    Args:
        text: of the program's module.
        program: as its own text calls it.
        called: as it was called.
    """
    parser = argparse.ArgumentParser(prog=called, description=described(text, program, called))
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")
    parser.add_argument(
        "--model", metavar="NAME@HUB", help="where the run's base model is now, if elsewhere (default: model.type)"
    )
    return parser


def read_run(path: Path, model: str | None = None) -> "tuple[RunFolder, CfgNode]":
    """Return the folder and the configuration of a run.

    Args:
        path: of the folder.
        model: where the run's base model is now, if elsewhere.

    Raises:
        ResourceError: there is no run.
        ConfigurationError: its configuration is wrong, or the model is none.
    """
    from fedmezo import config  # help is there before it

    folder = run_folder.existing(path)
    moved = () if model is None else ("model.type", model)
    return folder, config.load(folder.config, (*READING, *moved), recorded=True)


def moved_hint(error: FedmezoError, how: str = "--model NAME@HUB") -> str:
    """Return how to say where a run's base model is, where it cannot be had."""
    if not isinstance(error, ModelUnavailableError):
        return ""
    return f"\n    where the run's base model is now is said by {how}; the ledger tells whether it is the same"


def wanted_round(text: str) -> "RoundSelector":
    """Return the round that ``--round`` asks for."""
    if text in ("final", "best"):
        return text
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number of rounds, best or final")


def positive(text: str) -> int:
    """Return a whole number above 0."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")


def not_negative(text: str) -> float:
    """Return a number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number < float("inf"):
        return number
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or more")
