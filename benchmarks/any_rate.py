"""What is left of a run whose rate is wrong by two decades: the loss before and after, at rates around the best.

python -m benchmarks.any_rate [--steps KIND ...] [--trained WHAT ...] [--precision NAME ...] [--smollm2 --best RATE]
                              [--json FILE] [-- key value ...]

First the textbook's step at a grid of rates; the best of them is where the loss ends lowest. Then each kind of step at
1/100, 1/10, 1, 10 and 100 times that rate, and ``train.optimizer.lr auto``. The tiny random model, word problems, three
clients, 30 rounds of five steps; --smollm2: six rounds of ten steps of SmolLM2-135M on word problems of one step, where
--best says the best rate. A standard error is that of the paired change.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fedmezo.main import main as train

FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)
GRID = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
TINY: dict[str, Any] = {
    "model.type": "tiny-llama@random_llm",
    "federate.total_round_num": 30,
    "train.local_update_steps": 5,
    "eval.freq": 30,
}
SMOLLM2: dict[str, Any] = {"data.steps": 1, "data.worked": False}
COMMON: dict[str, Any] = {"eval.max_examples": 60, "federate.save_freq": 0, "verbose": 0, "llm.max_nonfinite": 10**6}
TRAINED: dict[str, dict[str, Any]] = {
    "LoRA": {"llm.adapter.args": "[{adapter_method: lora, r: 4, lora_alpha: 8}]"},
    "LoRA, A frozen": {"llm.adapter.args": "[{adapter_method: lora, r: 4, lora_alpha: 8, freeze_a: true}]"},
    "all parameters": {"llm.adapter.use": False},
}
PRECISION: dict[str, dict[str, Any]] = {"fp32": {}, "bf16": {"train.is_enable_half": True}}
TEXTBOOK = "none"
CFG = Path(__file__).parents[1] / "configs" / "word_problems.yaml"


@dataclass(frozen=True)
class Row:
    """A run; losses are of the held-out examples, ``error`` a standard error of their change."""

    trained: str
    precision: str
    step: str
    rate: float | str
    before: float
    after: float | None
    error: float | None

    @property
    def survives(self) -> bool:
        """Whether the loss ends at most a standard error above where it began."""
        return self.after is not None and self.error is not None and self.after <= self.before + self.error


def run(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the losses of the test set by a run's summary; empty where it has diverged."""
    with tempfile.TemporaryDirectory() as folder:
        keys = {**overrides, "outdir": folder, "expname": "run"}
        words = [word for key, value in keys.items() for word in (key, str(value))]
        code = train(["--cfg", str(CFG), "--quiet", *words])
        summary = Path(folder, "run", "summary.json")
        if not summary.exists():
            raise SystemExit(f"exit code {code} of {' '.join(words)}")
        return dict(json.loads(summary.read_text(encoding="utf-8"))["losses"]["test"])


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the runs, those of the grid first."""
    base = {
        **COMMON,
        **(SMOLLM2 if options.smollm2 else TINY),
        **dict(zip(options.overrides[::2], options.overrides[1::2], strict=True)),
    }
    for trained in options.trained:
        for precision in options.precision:
            row = partial(measured, base, trained, precision)
            best = options.best
            if best is None:
                grid = [row(TEXTBOOK, rate) for rate in GRID]
                yield from grid
                best = min(grid, key=lambda each: math.inf if each.after is None else each.after).rate
            for step in options.steps:
                for factor in FACTORS:
                    yield row(step, float(f"{best * factor:.3g}"))
            yield row(TEXTBOOK, "auto")


def measured(base: Mapping[str, Any], trained: str, precision: str, step: str, rate: float | str) -> Row:
    """Return a run of what is trained, in a precision, with a kind of step at a rate."""
    own = {"zo.normalise": step, "train.optimizer.lr": rate}
    found = run({**base, **TRAINED[trained], **PRECISION[precision], **own})
    return Row(trained, precision, step, rate, found["before"], found.get("after"), found.get("standard_error"))


def main() -> None:
    """Print a Markdown table a row at a time, and write the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", nargs="+", default=["curvature"], help="kinds of step (zo.normalise)")
    parser.add_argument("--trained", nargs="+", default=["LoRA", "all parameters"], choices=TRAINED)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=PRECISION)
    parser.add_argument("--best", type=float, help="instead of a grid")
    parser.add_argument("--smollm2", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    header = ("trained", "precision", "step", "rate", "before", "after", "error", "ends no worse")
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    found = []
    for row in rows(options):
        found.append({**asdict(row), "survives": row.survives})
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in found[-1].values()]
        print(f"| {' | '.join(cells)} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
