"""Fuzz what surrounds the programs: model folders, environment variables, signals at random instants, descriptors.

python -m scripts.fuzz_surroundings [--folders 900] [--environments 300] [--signals 500] [--descriptors 300]

The run is the tiny one of ``scripts.crash_test``. Whatever it meets, it ends with a documented exit code and no
traceback; where it trains, its results are those of the run that nothing disturbs, bit for bit, at once or, after a
signal, with ``--resume``. Environments and descriptors (and every tenth signal) meet an interpreter of their own, which
takes seconds to start; the others a fork of this process, which has imported everything. Exit code 0: no finding; 1:
see the kept folders.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from scripts.crash.bench import Bench
from scripts.crash.programs import preload
from scripts.crash.tally import Tally
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
    scratch = Path(tempfile.mkdtemp(prefix="fuzz_surroundings."))
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "FEDMEZO_CACHE": str(scratch / "cache")}
    preload()
    bench = Bench(scratch, "mezotrainer", options.seed)
    bench.measure()
    print(f"seed {options.seed}, in {scratch}: the run takes {bench.wall:.2f} s", flush=True)
    tallies: list[Tally] = [
        source(bench, wanted) for name, source in SOURCES.items() if (wanted := getattr(options, name))
    ]
    failures = [failure for tally in tallies for failure in tally.failures]
    print("".join(f"\n{tally.table()}\n" for tally in tallies))
    print(f"{len(failures)} findings{f'; see {scratch}' if failures else ''}")
    if not failures:
        shutil.rmtree(scratch)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
