"""What a forward pass teaches: the suite ``budget``, and a row for each of its runs at the chosen rates.

python -m benchmarks.budget [--quick] [--json FILE] [--out FOLDER] [--workers N] [-- key value ...]

All methods spend the same forward passes, counted in operations, each at the rate that is best on validation data; the
factor is the drop of the test loss over that of the textbook step with the same seed. --quick: the tiny model, at scale
smoke; else scale cpu, which goes on in FOLDER where it stopped.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fedmezo.commands import shipped
from fedmezo.commands.experiments.suites.jobs import jobs
from fedmezo.commands.experiments.suites.program import main as paper
from fedmezo.commands.experiments.suites.rates import chosen, screening
from fedmezo.commands.experiments.suites.results import counted
from fedmezo.commands.experiments.suites.suite import load
from fedmezo.commands.experiments.suites.tables import factor
from fedmezo.core.files import finite

SUITE, BASELINE = "budget", "textbook"
MEASURES = {
    **{name: name for name in ("rate", "forwards", "drop", "accuracy", "bytes")},
    "seconds": "client_seconds",
}


def rows(scale: str, out: Path) -> list[dict[str, Any]]:
    """Return what the runs of the suite in ``out`` gave; null where a run has none, or the baseline lowers no loss."""
    suite = load(shipped.folder() / shipped.SUITES / f"{SUITE}.yaml", scale)
    runs, _ = counted(jobs(chosen(suite, screening(suite, out)), out))
    found: list[dict[str, Any]] = [
        {**run.job.arm.labels, "seed": run.job.seed, **{name: run.measure(each) for name, each in MEASURES.items()}}
        for run in runs
    ]
    base = {(row["task"], row["seed"]): row["drop"] for row in found if row["method"] == BASELINE}
    for row in found:
        row["factor"] = factor(row["drop"], base.get((row["task"], row["seed"]), math.nan))
    return [{name: finite(value) for name, value in row.items()} for row in found]


def main(arguments: Sequence[str]) -> int:
    """Run the suite, print its page's path as it does, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--out", type=Path, help="default: results; with --quick a folder that is deleted again")
    parser.add_argument("--workers", type=int)
    parser.add_argument("overrides", metavar="-- key value", nargs="*")
    options = parser.parse_args(arguments)
    scale = "smoke" if options.quick else "cpu"
    with TemporaryDirectory() as scratch:
        out = options.out or Path(scratch if options.quick else "results")
        workers = ["--workers", str(options.workers)] if options.workers else []
        words = [SUITE, "--scale", scale, "--out", str(out), "--resume", *workers, "--", *options.overrides]
        code = paper(words)
        found = rows(scale, out)
        if found:
            print((out / SUITE / scale / "README.md").read_text(encoding="utf-8"))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
