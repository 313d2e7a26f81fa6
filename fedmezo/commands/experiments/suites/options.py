"""The options that programs of many runs share, and how such a program ends."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence

from fedmezo.commands.arguments import positive
from fedmezo.core.process import INTERRUPTED, exit_code, raise_on_interrupt


def add_options_of_many(parser: argparse.ArgumentParser) -> None:
    """Let a command line say how many runs there are at a time, and what holds for all of them, after ``--``."""
    parser.add_argument("--workers", metavar="N", type=positive, help="runs at a time (default: one for each core)")
    parser.add_argument("--threads", metavar="N", type=positive, default=1, help="threads of a run (default 1)")
    parser.add_argument("--resume", action="store_true", help="go on with the runs that are there")
    parser.add_argument("overrides", metavar="-- key value", nargs="*", help="for all runs, as in -- data.root FOLDER")


def parse_options_of_many(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line: ``given`` is what was given, from ``--`` on; ``overrides`` has the threads.

    Args:
        parser: with :func:`add_options_of_many`.
        arguments: of the command line.
    """
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    options = parser.parse_intermixed_args(words[:at])  # options may stand between names
    options.workers = options.workers or max(1, (os.cpu_count() or 1) // options.threads)
    options.given = words[at:]
    options.overrides = ["engine.threads", str(options.threads), *words[at + 1 :]]
    return options


def resumable(program: str, arguments: Sequence[str], work: Callable[[], int]) -> int:
    """Return the exit code of a program of many runs; where it is interrupted, say how to go on.

    Args:
        program: as the user calls it.
        arguments: of its command line.
        work: what it does.
    """
    raise_on_interrupt()
    code = exit_code(work)
    if code == INTERRUPTED:
        at = arguments.index("--") if "--" in arguments else len(arguments)
        resume = [] if "--resume" in arguments[:at] else ["--resume"]
        command = shlex.join([*shlex.split(program), *arguments[:at], *resume, *arguments[at:]])
        print(f"to go on: {command}", file=sys.stderr)
    return code
