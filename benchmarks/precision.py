"""What half precision does to convergence: the drop of the held-out loss in fp32, and in half precision of both kinds.

python -m benchmarks.precision [--trained WHAT ...] [--rates RATE ...] [--seeds N] [--json FILE] [-- key value ...]

The tiny random model, word problems, three clients, 30 rounds of five steps, the textbook's step; --rates has a rate
for each of what is trained. "±" is a standard error over seeds. Fidelity at the start is in benchmarks.fidelity.
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.any_rate import COMMON, TINY, TRAINED, run

PRECISION: dict[str, dict[str, Any]] = {
    "fp32": {},
    "bf16, shared": {"train.is_enable_half": True},
    "bf16, plain": {"train.is_enable_half": True, "train.precision": "plain"},
}
RATES = {"LoRA": 1e-1, "all parameters": 3e-3}


def drops(base: Mapping[str, Any], seeds: int) -> list[float]:
    """Return how far the loss falls with each seed; -inf where a run has diverged."""
    found = [run({**base, "seed": seed}) for seed in range(seeds)]
    return [each["before"] - each["after"] if each.get("after") is not None else -math.inf for each in found]


def main() -> None:
    """Print a Markdown table, and write the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", nargs="+", default=list(RATES), choices=TRAINED)
    parser.add_argument("--rates", nargs="+", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    rates = options.rates or [RATES[trained] for trained in options.trained]
    own = dict(zip(options.overrides[::2], options.overrides[1::2], strict=True))
    print("| trained | precision | rate | drop | ± |\n|---|---|---|---|---|")
    rows = []
    for trained, rate in zip(options.trained, rates, strict=True):
        for precision, keys in PRECISION.items():
            base = {**COMMON, **TINY, **TRAINED[trained], **keys, "train.optimizer.lr": rate, **own}
            found = drops(base, options.seeds)
            error = stdev(found) / math.sqrt(len(found)) if len(found) > 1 else math.nan
            rows.append({"trained": trained, "precision": precision, "rate": rate, "drops": found})
            print(f"| {trained} | {precision} | {rate:g} | {fmean(found):.4f} | {error:.4f} |", flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
