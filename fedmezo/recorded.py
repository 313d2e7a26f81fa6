"""A run that programs read: how it is named on their command lines, and its configuration."""

import argparse
from pathlib import Path

from yacs.config import CfgNode

from fedmezo import config, run_folder
from fedmezo.errors import FedmezoError, ModelUnavailableError
from fedmezo.run_folder import RunFolder

READING = ("federate.participation", "''")  # whose participation a run repeated is not needed to read it


def add_run(parser: argparse.ArgumentParser) -> None:
    """Let a command line name a run, and where its base model is."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")
    parser.add_argument(
        "--model", metavar="NAME@HUB", help="where the run's base model is now, if elsewhere (default: model.type)"
    )


def read_run(options: argparse.Namespace) -> tuple[RunFolder, CfgNode]:
    """Return the folder and the configuration of the run that a command line names.

    Raises:
        ResourceError: there is no run.
        ConfigurationError: its configuration is wrong, or the model is none.
    """
    folder = run_folder.existing(options.run)
    moved = () if options.model is None else ("model.type", options.model)
    return folder, config.load(folder.config, (*READING, *moved), recorded=True)


def moved_hint(error: FedmezoError, how: str = "--model NAME@HUB") -> str:
    """Return how to say where a run's base model is, where it cannot be had."""
    if not isinstance(error, ModelUnavailableError):
        return ""
    return f"\n    where the run's base model is now is said by {how}; the ledger tells whether it is the same"
