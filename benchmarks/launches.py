"""What a training step asks of a GPU: kernels launched, and waits of the host for them. Counted on the stand-in.

python -m benchmarks.launches [--layers N] [--cases NAME ...] [--json FILE]

A step of a model of random weights with N layers, on one example: its batch, its losses and its update. What a launch
takes is not measured (``tests/gpu_standin``): the stand-in computes on the CPU. Launches are those of eager torch, with
attention as one; a wait is a number or a size that the host asks for, or a copy from or to memory that is not pinned.
"""

from tests.gpu_standin import plugin  # noqa: F401  # isort: skip  # before torch looks for devices

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedmezo import config
from fedmezo.assembly import assemble_learning_task
from fedmezo.assembly.client import assemble_trainer
from fedmezo.assembly.run_spec import assemble_run_spec
from fedmezo.models.hubs import random_llm
from fedmezo.training import LocalWork
from tests.gpu_standin import device
from tests.gpu_standin.device import counted

LAYERS = 26
WORD_PROBLEMS = Path(__file__).parents[1] / "configs" / "word_problems.yaml"
LARGE, TINY = 128_256, 259  # tokens of the vocabulary of Llama 3, and of the tiny model's
HALF = ("train.is_enable_half", "True")
ALL = ("llm.adapter.use", "False")


class Case(NamedTuple):
    """What is trained, and how: words of the configuration; of how many tokens the vocabulary stands for another."""

    words: tuple[str, ...]
    vocabulary: int = TINY


CASES = {
    "LoRA, fp32": Case(()),
    "LoRA, half": Case(HALF),
    "all parameters, fp32": Case(ALL),
    "all parameters, half": Case((*ALL, *HALF)),
    "LoRA, large vocabulary, eight lanes": Case(("zo.queries", "4"), LARGE),
}


class Step(NamedTuple):
    """What a step asks of a device."""

    launches: int
    waits: int
    by_operator: dict[str, int]
    by_wait: dict[str, int]


def step_of(case: Case, layers: int = LAYERS) -> Step:
    """Return the counts of one step: what four steps ask for beyond two, by half."""
    name = f"{layers}-layers"
    kind, sizes = random_llm.MODELS["tiny-llama"]
    random_llm.MODELS[name] = kind, sizes | {"num_hidden_layers": layers}
    words = ["model.type", f"{name}@random_llm", "data.num_examples", "60", "engine.threads", "1", *case.words]
    cfg = config.load(WORD_PROBLEMS, words)
    task = assemble_learning_task(cfg)
    task.scorer.most_logits = task.scorer.most_logits * TINY // case.vocabulary  # as many parts as of the larger one
    trainer, row = assemble_trainer(assemble_run_spec(cfg, task)), np.array([5])
    found = []
    for steps in (1, 2, 4):  # the first makes what stays
        keys = [[100 * step + query for query in range(cfg.zo.queries)] for step in range(steps)]
        work = LocalWork(0, 0, 1e-6, steps, lambda step: task.collate(row), keys, lambda loss: None)
        with counted() as counts:
            trainer.train(task.start, work)
        found.append(counts)
    _, two, four = found
    launches, waits = _half(four.launches, two.launches), _half(four.waits, two.waits)
    return Step(sum(launches.values()), sum(waits.values()), launches, waits)


def _half(more: dict[str, int], fewer: dict[str, int]) -> dict[str, int]:
    difference = Counter(more)
    difference.subtract(fewer)
    return {name: times // 2 for name, times in difference.most_common() if times}


def main() -> None:
    """Count, print a Markdown table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    assert device.is_there()
    print(f"{options.layers} layers, a step of one example, on the stand-in\n\n| | launches | waits |\n|---|---|---|")
    steps = {name: step_of(CASES[name], options.layers) for name in options.cases}
    for name, step in steps.items():
        print(f"| {name} | {step.launches} | {step.waits} |", flush=True)
    if options.json:
        rows = {name: step._asdict() for name, step in steps.items()}
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
