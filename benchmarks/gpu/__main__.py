"""All that is measured on a GPU, within the minutes given, onto one page with card, driver and versions.

python -m benchmarks.gpu [--out FOLDER] [--minutes N] [--quick] [--json FILE] [--stand-in]

The tests marked ``gpu``, the kernel of directions beside plain torch, steps beside two plain forwards, memory over
inference, engines. What is measured is written after each row, so that nothing is lost where the time is over or
Ctrl-C is pressed; rows that no time was left for are named. Without a GPU: exit code 3, and nothing is written.

``--stand-in`` does the same on the device that ``tests/gpu_standin`` puts in the place of a GPU: it says whether all of
this works on one, and nothing about its speed. ``--quick`` takes tiny models and few repeats.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.gpu.budget import PARTS, Results, measure
from benchmarks.gpu.page import page

ROOT = Path(__file__).parents[2]
INTERRUPTED = 130


def main() -> int:
    """Measure part after part, and return the exit code."""
    options = parsed()
    if options.part:
        from benchmarks.gpu.part import run

        return run(options)
    out = options.out or (ROOT / "build" / "gpu" if options.stand_in or options.cpu else ROOT / "docs/results/gpu")
    results: Results = {
        "on": "stand-in" if options.stand_in else "cpu" if options.cpu else "gpu",
        **{"quick": options.quick, "minutes": options.minutes, "parts": {}},
    }
    try:
        return measure_all(options, results, out)
    except KeyboardInterrupt:
        print(f"stopped; the page so far is {out / 'README.md'}", file=sys.stderr)
        return INTERRUPTED


def measure_all(options: argparse.Namespace, results: Results, out: Path) -> int:
    """Give each part its share of the time, and return the exit code."""
    words = {"--quick": options.quick, "--stand-in": options.stand_in, "--cpu": options.cpu}
    command = [sys.executable, "-m", "benchmarks.gpu", *(word for word, given in words.items() if given)]
    started, share = time.monotonic(), 0.0
    for part in PARTS:
        share += part.share
        print(f"{part.name} ...", file=sys.stderr, flush=True)
        until = 1.0 if part.name == "machine" else share  # without it there is no page
        deadline = started + 60 * options.minutes * until
        ended = measure(part, results, command, deadline, lambda: save(results, out, options.json))
        if part.name == "machine" and not results["parts"]["machine"]["rows"]:
            late = "the time was over before anything was known of the machine: --minutes gives more"
            print(late if ended.late else ended.said, file=sys.stderr)
            return ended.code or 1
    print(out / "README.md")
    return 0


def save(results: Results, out: Path, more: Path | None) -> None:
    """Write the page and its figures, each whole or not at all, once there is something to say."""
    if not results["parts"]["machine"]["rows"]:
        return
    out.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(results, indent=1) + "\n"
    texts = {out / "README.md": page(results), out / "results.json": figures} | ({more: figures} if more else {})
    for path, text in texts.items():
        part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        part.write_text(text, encoding="utf-8")
        part.replace(path)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="of the page (default: docs/results/gpu)")
    parser.add_argument("--minutes", type=float, default=8.0, metavar="N")
    parser.add_argument("--quick", action="store_true", help="tiny models, few repeats")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures once more")
    parser.add_argument("--stand-in", action="store_true", help="on the stand-in for a GPU; into build/gpu")
    parser.add_argument("--cpu", action="store_true", help=argparse.SUPPRESS)  # what tests try all of this on
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--skip", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
