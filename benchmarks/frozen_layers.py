"""A step of the demo with frozen layers computed in every forward, and with what comes out of them kept.

python -m benchmarks.frozen_layers [--cfg FILE] [--steps 5] [key value ...]

Both ways take the same steps in turns, in one process, so that their ratio means something on a busy machine. The
first column is what keeping costs: each text goes through the frozen layers once.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.zeroth_order.estimators.central import CentralDifference


def _lora(layers: range) -> str:
    return f"[{{adapter_method: lora, r: 8, lora_alpha: 16, layers_to_transform: {list(layers)}}}]"


CASES = {
    "the norm after all layers": "[{adapter_method: ln-tuning, target_modules: [norm]}]",
    "LoRA r=8 in the last 3 of 30 layers": _lora(range(27, 30)),
    "LoRA r=8 in the last 10 of 30 layers": _lora(range(20, 30)),
}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=Path, default=Path("configs/quickstart.yaml"))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    print("| trained | a text, once: ms | a step, whole forwards: ms | a step, kept: ms | ratio |")
    print("|---|---|---|---|---|")
    for name, adapter in CASES.items():
        changes = ["llm.adapter.args", adapter, *options.overrides]
        kept, whole = (
            assemble_learning_task(config.load(options.cfg, [*changes, "train.cache_frozen_layers", wanted]))
            for wanted in ("True", "False")
        )
        batch = config.load(options.cfg, changes).dataloader.batch_size
        rows = np.asarray(kept.data.partition.union("train"))[:batch]
        first = _seconds(kept, rows) / len(rows)
        pairs = [[_seconds(task, rows) for task in (whole, kept)] for _ in range(options.steps)]
        slow, fast = np.median(pairs, axis=0)
        ratio = np.median([one / other for one, other in pairs])
        print(f"| {name} | {1e3 * first:.0f} | {1e3 * slow:.0f} | {1e3 * fast:.1f} | {ratio:.1f} |", flush=True)


def _seconds(task: LearningTask, rows: NDArray[np.int64]) -> float:
    """Return how long the losses of a step take."""
    batch, lanes = task.collate(rows), CentralDifference().lanes([1], 5e-3)
    started = time.perf_counter()
    task.scorer.losses(task.start, lanes, batch)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
