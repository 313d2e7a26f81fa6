"""Fuzz what surrounds the programs: model folders, environment variables, signals at random instants, descriptors.

python -m scripts.fuzz_surroundings [--folders 900] [--environments 300] [--signals 500] [--descriptors 300]

The run is the tiny one of ``scripts.crash_test``. Whatever it meets, it ends with a documented exit code and no
traceback; where it trains, its results are those of the run that nothing disturbs, bit for bit, at once or, after a
signal, with ``--resume``. Environments and descriptors (and every tenth signal) meet an interpreter of their own, which
takes seconds to start; the others a fork of this process, which has imported everything. Exit code 0: nothing failed;
1: see the kept folders.
"""

import argparse
import sys

from scripts.crash.campaign import campaign
from scripts.surroundings.descriptors import descriptors
from scripts.surroundings.environment import environments
from scripts.surroundings.model_folders import model_folders
from scripts.surroundings.signals import signals

SOURCES = {"folders": model_folders, "environments": environments, "signals": signals, "descriptors": descriptors}
CASES = {"folders": 900, "environments": 300, "signals": 500, "descriptors": 300}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in CASES.items():
        found.add_argument(f"--{name}", metavar="N", type=int, default=count, help=f"cases (default {count})")
    found.add_argument("--seed", type=int, default=0, help="of the cases")
    return found


def main() -> int:
    """Run all sources and return 0 if nothing was found, else 1."""
    options = parser().parse_args()
    wanted = {source: count for name, source in SOURCES.items() if (count := getattr(options, name))}
    return campaign(
        "fuzz_surroundings",
        "mezotrainer",
        options.seed,
        lambda bench: (source(bench, count) for source, count in wanted.items()),
    )


if __name__ == "__main__":
    sys.exit(main())
