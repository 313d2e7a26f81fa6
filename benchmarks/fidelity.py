"""Gradient fidelity for dtypes, perturbation scales, estimators, ranks, batch sizes and models.

python -m benchmarks.fidelity [--cfg FILE] [--pairs N] [--half False True] [--precision shared plain]
    [--mu MU ...] [--estimator NAME ...] [--trainable lora8 ...] [--batch N ...] [--model NAME ...]
    [--json FILE] [key value ...]

Fidelity is the correlation of projected gradients with the exact directional derivative (fp32 backpropagation), over
(direction, batch) pairs at the initial point. A default is offered only where it is at least 0.9. Four directions a
batch are the queries of one step: one-sided, they share a loss.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.steps import TRAINABLE
from fedmezo import config
from fedmezo.assembly import assemble_learning_task
from fedmezo.commands.check import PAIRS_PER_BATCH, fidelity_batches
from fedmezo.evaluation.fidelity import Setting, gradient_fidelities
from fedmezo.zeroth_order.estimators import registry
from fedmezo.zeroth_order.estimators.make import make_estimator

COLUMNS = ("model", "trainable", "batch", "dtype", "estimator", "mu", "fidelity", "exact_std", "error_std", "pairs")


def rows(options: argparse.Namespace, model: str, trainable: str, batch: int) -> list[dict[str, Any]]:
    """Return a row for each dtype, estimator and perturbation scale, all on the same directions and batches."""
    rank = TRAINABLE[trainable]
    shared = ["model.type", model, "dataloader.batch_size", str(batch), *options.overrides]
    shared += ["llm.adapter.args", f"[{{adapter_method: lora, r: {rank}, lora_alpha: {2 * rank}}}]"] if rank else []
    shared += [] if rank else ["llm.adapter.use", "False"]
    cfg = config.load(options.cfg, shared)
    task = assemble_learning_task(cfg)
    scorers = {"fp32": task.scorer}
    for precision in options.precision if "True" in options.half else ():
        half = config.load(options.cfg, [*shared, "train.is_enable_half", "True", "train.precision", precision])
        scorers[f"bf16, {precision}"] = assemble_learning_task(half).scorer
    chosen = [name for name in scorers if ("False" in options.half if name == "fp32" else True)]
    cases = list(product(chosen, options.estimator, options.mu))
    found = gradient_fidelities(
        [Setting(scorers[dtype], mu, make_estimator(estimator)) for dtype, estimator, mu in cases],
        task.scorer,
        task.start,
        fidelity_batches(cfg, task, -(-options.pairs // PAIRS_PER_BATCH)),
        directions_per_batch=PAIRS_PER_BATCH,
        seed=cfg.seed,
    )
    listed = []
    for (dtype, estimator, mu), each in zip(cases, found, strict=True):
        numbers = [f"{each.correlation:.4f}", f"{each.exact_std:.3g}", f"{each.error_std:.3g}", each.pairs]
        listed.append(dict(zip(COLUMNS, [model, trainable, batch, dtype, estimator, mu, *numbers], strict=True)))
    return listed


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=Path, default=Path("configs/word_problems.yaml"))
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--half", nargs="+", choices=("False", "True"), default=["False", "True"])
    parser.add_argument("--precision", nargs="+", choices=("shared", "plain"), default=["shared", "plain"])
    parser.add_argument("--mu", nargs="+", type=float, default=[1e-3, 5e-3, 1e-2])
    parser.add_argument("--estimator", nargs="+", choices=registry.names(), default=["central"])
    parser.add_argument("--trainable", nargs="+", choices=TRAINABLE, default=["lora8"])
    parser.add_argument("--batch", nargs="+", type=int, default=[2])
    parser.add_argument("--model", nargs="+", default=["SmolLM2-135M-Instruct@package_llm"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    written = []
    for model, trainable, batch in product(options.model, options.trainable, options.batch):
        for row in rows(options, model, trainable, batch):
            written.append(row)
            print(f"| {' | '.join(str(row[name]) for name in COLUMNS)} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
