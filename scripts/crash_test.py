"""Kill runs, damage their folders, fill their disk; they must go on to the same result, or refuse with a message.

python -m scripts.crash_test [--kills 100] [--operations 100] [--damages 500] [--full-disk [48]] [--trainer llmtrainer]

The run is a tiny model's, 8 rounds, on one thread. One run that nothing disturbs is the reference; all others end with
exit code 0 and, bit for bit, its ledger, adapters, evaluations, metrics and summary (times and memory left out), or
say why not. ``--kills 0`` and the like leave a part out. Exit code 0: every target is met; 1: see the kept folders.

- kills: ``kill -9`` at a random instant of the run, up to three times in a row, then ``--resume``.
- operations: ``kill -9`` right before one of the operations that change files (opening for writing, renaming, removing,
  ...), spread evenly over all that the run does. It finds what random instants rarely hit.
- damages: a truncated, flipped, overwritten or lengthened ledger, or (a fifth) snapshot or adapter, of a finished, an
  interrupted and a killed run; then ``replay --verify``, then ``--resume``.
- full disk: the run's ``outdir`` is a tmpfs that is too small, or has too few inodes; then it grows, and the run goes
  on. Where mounting is not allowed, a limit of the size of files stands in, which fails alike but at other places.

Importing torch and transformers takes longer than the run. So this process imports them, computes nothing, and forks:
each child is a command line, ``fedmezo.main.main([...])`` inside ``run_program`` as in ``python -m fedmezo.main``, with
streams of its own, and is killed from outside. An instant counts from the fork on: nothing of a run happens before the
imports are over. Every 20th kill hits a fresh interpreter nevertheless, every 10th a run with an empty cache.
"""

import argparse
import sys

from scripts.crash.bench import Bench
from scripts.crash.campaign import campaign
from scripts.crash.damages import damages
from scripts.crash.full_disk import full_disk
from scripts.crash.kills import kills, operations
from scripts.crash.tally import Tally


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--kills", metavar="N", type=int, default=100, help="runs killed at a random instant")
    found.add_argument("--operations", metavar="N", type=int, default=100, help="runs killed before a file operation")
    found.add_argument("--damages", metavar="N", type=int, default=500, help="damaged run folders")
    found.add_argument("--full-disk", metavar="N", type=int, nargs="?", const=48, default=0, help="disks that are full")
    found.add_argument("--seed", type=int, default=0, help="of instants, places and noise")
    found.add_argument("--trainer", default="mezotrainer", help="mezotrainer (default) or llmtrainer")
    return found


def main() -> int:
    """Run the parts that are asked for and return 0 if every target is met, else 1."""
    options = parser().parse_args()
    return campaign("crash_test", options.trainer, options.seed, lambda bench: tested(bench, options))


def tested(bench: Bench, options: argparse.Namespace) -> list[Tally]:
    """Run the parts that are asked for."""
    tallies = []
    if options.kills:
        tallies.append(kills(bench, options.kills))
    if options.operations:
        tallies.append(operations(bench, options.operations))
    if options.damages:
        tallies += damages(bench, options.damages)
    if options.full_disk:
        tallies.append(full_disk(bench, options.full_disk))
    return tallies


if __name__ == "__main__":
    sys.exit(main())
