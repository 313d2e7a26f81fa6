"""The loss along the line from where a run began through where it ended: would larger or smaller steps have paid?

python -m benchmarks.line RUN [--scales S ...] [--json FILE]

At theta_0 + s (theta_T - theta_0), of the test examples that the run evaluated. A run whose updates are too short has
its lowest loss beyond s = 1. So this is the most that a line search at the server could gain.
"""

import argparse
import json
from pathlib import Path

from fedmezo.assembly import assemble_learning_task
from fedmezo.assembly.task import assemble_evaluator
from fedmezo.commands.arguments import read_run
from fedmezo.commands.load_run import rebuild
from fedmezo.ledger.records import LOSS

SPLIT = "test"


def main() -> None:
    """Print a Markdown table a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 1.5, 2.0, 3.0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder, cfg = read_run(options.run)
    start, end = (rebuild(cfg, folder, wanted).point for wanted in (0, "final"))
    evaluator = assemble_evaluator(cfg, assemble_learning_task(cfg), lambda _: None)
    print("| s | loss | drop |\n|---|---|---|")
    losses: dict[float, float] = {}
    for scale in sorted({0.0, *options.scales}):
        point = start + scale * (end - start)
        losses[scale] = evaluator.results(SPLIT, evaluator(point)[SPLIT])[LOSS].value
        print(f"| {scale:g} | {losses[scale]:.4f} | {losses[0.0] - losses[scale]:.4f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(losses, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
