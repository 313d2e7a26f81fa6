"""The options that programs of many runs share."""

import argparse
import os
from collections.abc import Sequence


def options_of_many(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line; key-value pairs for all runs come after ``--``.

    Args:
        parser: of the program's own options; takes those that are shared: ``workers``, ``threads``, ``resume``, and
            ``overrides``, to which the threads are added.
        arguments: of the command line.
    """
    parser.add_argument("--workers", metavar="N", type=int, help="runs at a time (default: one for each core)")
    parser.add_argument("--threads", metavar="N", type=int, default=1, help="threads of a run (default 1)")
    parser.add_argument("--resume", action="store_true", help="go on with the runs that are there")
    parser.add_argument("overrides", metavar="-- key value", nargs="*", help="for all runs, as in -- data.root FOLDER")
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:at])
    options.workers = options.workers or max(1, (os.cpu_count() or 1) // options.threads)
    options.overrides = ["engine.threads", str(options.threads), *words[at + 1 :]]
    return options
