"""A zeroth-order step against two plain forwards, side by side in one process, interleaved.

python -m benchmarks.zo_step [--data FOLDER] [--model NAME] [--pairs N] [--repeats N] [--compiled] [--quick]

- ``plain``: ``model(input_ids, attention_mask, labels)`` of peft and transformers, twice: what all ratios are over.
- ``lean``: the same, but logits at the response tokens only: what ``ratio_lean`` is over.
- ``textbook``: the step as MeZO publishes it: four passes of ``torch.normal`` over the parameters, added in place.
- ``ours``: the estimate and the update of ``mezotrainer``.
- ``blocks`` (``--blocks N``): its step of one-sided queries in N blocks of layers, one in each, over 1 + (q + 1) / 2
  plain forwards for q queries instead of two; milliseconds are those of two forwards of it.

A row gives medians of ratios with their quartiles, gradient fidelity over ``--pairs`` (direction, batch) pairs against
fp32 backpropagation, and the peak memory over that of inference, each in a process of its own. ``products_share`` is
the roofline: the share of our step that its matrix products would take at the speed of one large product. FOLDER holds
GSM8K; without it the batches are generated word problems. ``--quick`` takes the tiny model and a few repeats.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from benchmarks.textbook import Textbook
from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.core.cache import cache_folder
from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.core.memory import peak_memory_mib
from fedmezo.data.batches import IGNORED, Batch
from fedmezo.evaluation.fidelity import Fidelity, Setting, compared, gradient, gradient_fidelities
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.hubs import load_base_model
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.estimate import estimate
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.replay import DirectionKeys, MovingPrefix, Prefix, Replay

WORD_PROBLEMS = Path(__file__).parents[1] / "configs" / "word_problems.yaml"
TRAINABLE = {"lora8": 8, "lora128": 128, "all": 0}
RATE, SEED = 1e-6, 0
SQUARE = 1024  # of the large product: more takes minutes in bf16 on a CPU that has none
Step = Callable[[Batch, int], object]


@dataclass(frozen=True)
class Case:
    """What is measured: ``trainable`` is a key of ``TRAINABLE``, ``dtype`` fp32 or bf16 (of the base model)."""

    model: str
    trainable: str
    distribution: str
    dtype: str
    batch: int
    data: str = ""

    def task(self, *, compiled: bool = False, blocks: int = 1) -> LearningTask:
        """Return model and data of the case, as a run has them."""
        rank = TRAINABLE[self.trainable]
        overrides = ["model.type", self.model, "dataloader.batch_size", str(self.batch), "zo.mu", "1e-3"]
        overrides += ["train.is_enable_half", str(self.dtype == "bf16"), "zo.distribution", self.distribution]
        overrides += ["train.compile", str(compiled), "zo.blocks", str(blocks)]
        overrides += (
            ["llm.adapter.args", f"[{{adapter_method: lora, r: {rank}, lora_alpha: {2 * rank}}}]"] if rank else []
        )
        overrides += [] if rank else ["llm.adapter.use", "False"]
        overrides += ["data.root", self.data, "data.type", "gsm8k@llm"] if self.data else ["data.num_examples", "300"]
        return assemble_learning_task(config.load(WORD_PROBLEMS, overrides))

    def plain(self) -> PreTrainedModel | PeftModel:
        """Return the model as peft and transformers have it."""
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[self.dtype]
        model = load_base_model(self.model, dtype=dtype, cache=cache_folder()).model
        rank = TRAINABLE[self.trainable]
        arguments = {"adapter_method": "lora", "r": rank, "lora_alpha": 2 * rank}
        plain: PreTrainedModel | PeftModel = attach_adapter(model, arguments) if rank else model.requires_grad_(True)
        return plain.eval()


def batches(task: LearningTask, size: int) -> Iterator[Batch]:
    """Yield training batches without end."""
    indices = task.data.partition.clients[0].train
    for start in range(0, 10**9, size):
        yield task.collate(np.sort(indices[np.arange(start, start + size) % len(indices)]))


def forward(model: nn.Module, batch: Batch, number: int) -> None:
    """Two plain forwards."""
    for _ in range(2):
        model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels)


def lean(model: nn.Module, batch: Batch, number: int) -> None:
    """Two forwards with logits at the response tokens only."""
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    labels = batch.labels[:, first:]
    for _ in range(2):
        logits = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=labels.shape[1] + 1
        ).logits[:, :-1]
        nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())


class Ours:
    """The step of ``mezotrainer``."""

    def __init__(self, task: LearningTask, mu: float) -> None:
        self.task, self.mu = task, mu
        replay = Replay(task.parameters.decay_runs(), 0.0, task.scorer.directions)
        keys = [[number] for number in range(10_000)]
        self.prefix: Prefix | MovingPrefix = (
            MovingPrefix(replay, task.start, keys, RATE, rounding=lambda step: step)
            if task.scorer.in_place
            else Prefix(replay, task.start, keys, RATE)
        )

    def __call__(self, batch: Batch, number: int) -> None:
        """Take a step."""
        losses = partial(self.task.scorer.losses, batch=batch)
        (query,) = estimate(CentralDifference(), losses, self.prefix.point, [number], self.mu)
        self.prefix.append([query.gradient])


class InBlocks:
    """The step of ``mezotrainer`` in blocks: a one-sided query in each."""

    def __init__(self, task: LearningTask, mu: float) -> None:
        self.task, self.mu = task, mu
        self.blocks = task.scorer.directions.blocks
        order = BlockOrder(self.blocks, tuple(range(self.blocks)))
        self.keys = DirectionKeys(SEED, self.blocks, blocks=order)(0, 0, 10_000)
        replay = Replay(task.parameters.decay_runs(), 0.0, task.scorer.directions, self.blocks)
        self.prefix: Prefix | MovingPrefix = (
            MovingPrefix(replay, task.start, self.keys, RATE, rounding=lambda step: step)
            if task.scorer.in_place
            else Prefix(replay, task.start, self.keys, RATE)
        )

    @property
    def forwards(self) -> float:
        """Plain forwards that a step is, counted in layers: a base, and half a forward more a query than there are."""
        return 1 + (self.blocks + 1) / 2

    def __call__(self, batch: Batch, number: int) -> None:
        """Take a step."""
        losses = partial(self.task.scorer.losses, batch=batch)
        keys = self.keys[len(self.prefix.gradients)]
        found = estimate(OneSided(), losses, self.prefix.point, keys, self.mu)
        self.prefix.append([query.gradient for query in found])


def timed(step: Step, batch: Batch, number: int) -> float:
    """Return the seconds of a step."""
    started = time.perf_counter()
    step(batch, number)
    return time.perf_counter() - started


@torch.inference_mode()
def ratios(case: Case, task: LearningTask, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return, by implementation, the ratios over two plain forwards and over two lean ones."""
    model, copy = case.plain(), case.plain()
    steps: dict[str, Step] = {
        "plain": partial(forward, model),
        "lean": partial(lean, model),
        "textbook": Textbook(copy, options.mu, RATE),
        "ours": Ours(task, options.mu),
    }
    if options.compiled and (case.trainable, case.dtype) != ("all", "bf16"):  # which is refused
        steps["ours, compiled"] = Ours(case.task(compiled=True), options.mu)
    if options.blocks > 1:
        steps["blocks"] = InBlocks(case.task(blocks=options.blocks), options.mu)
    ideal = products_alone(steps["ours"], batches(task, case.batch), case.dtype)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for batch in islice(batches(task, case.batch), 2):
            timed(step, batch, 0)
    for number, batch in enumerate(islice(batches(task, case.batch), options.repeats), start=1):
        for name, step in steps.items():
            seconds[name].append(timed(step, batch, number))
    plain, lean_ones = (np.array(seconds.pop(name)) for name in ("plain", "lean"))
    as_many = {name: step.forwards / 2 if isinstance(step, InBlocks) else 1.0 for name, step in steps.items()}
    found = {name: _compared(np.array(own) / as_many[name], plain, lean_ones) for name, own in seconds.items()}
    for name in found.keys() - {"textbook", "blocks"}:
        found[name]["products_share"] = round(ideal.seconds / float(np.mean(seconds[name][: ideal.batches])), 3)
        found[name]["products_gflops"] = round(ideal.gflops)
    return found


def _compared(own: NDArray[Any], plain: NDArray[Any], lean_ones: NDArray[Any]) -> dict[str, Any]:
    low, middle, high = np.quantile(own / plain, [0.25, 0.5, 0.75]).round(3).tolist()
    return {
        "ratio": middle,
        "ratio_quartiles": [low, high],
        "ratio_lean": round(float(np.median(own / lean_ones)), 3),
        "milliseconds": round(1000 * float(np.median(own)), 1),
        "plain_milliseconds": round(500 * float(np.median(plain)), 1),
    }


class Ideal(NamedTuple):
    """What the matrix products of the first batches' steps would take at the machine's best, on average."""

    seconds: float
    gflops: float
    batches: int


def products_alone(step: Step, source: Iterator[Batch], dtype: str) -> Ideal:
    """Return what a step would take if it were matrix products only, at the speed of a large one of the same dtype."""
    square = torch.ones(SQUARE, SQUARE, dtype={"fp32": torch.float32, "bf16": torch.bfloat16}[dtype])
    best = min(timed(lambda *_: square @ square, *(None, 0)) for _ in range(10))  # type: ignore[arg-type]
    gflops, chosen = 2 * SQUARE**3 / best / 1e9, list(islice(source, 5))
    with FlopCounterMode(display=False) as counter:
        for number, batch in enumerate(chosen):
            step(batch, number)
    return Ideal(counter.get_total_flops() / len(chosen) / gflops / 1e9, gflops, len(chosen))


def fidelities(case: Case, task: LearningTask, mu: float, pairs: int, blocks: int) -> dict[str, Fidelity | None]:
    """Return the gradient fidelity of both implementations."""
    if not pairs:
        return {"textbook": None, "ours": None, "blocks": None}
    exact = case.task() if case.dtype == "fp32" else Case(**asdict(case) | {"dtype": "fp32"}).task()
    source = batches(task, case.batch)
    chosen = [next(source) for _ in range(-(-pairs // 4))]
    setting = Setting(task.scorer, mu, CentralDifference())
    (ours,) = gradient_fidelities([setting], exact.scorer, exact.start, chosen, directions_per_batch=4)
    found: dict[str, Fidelity | None] = {"textbook": _textbook_fidelity(case, exact, chosen, mu), "ours": ours}
    if blocks > 1:
        exact.scorer.directions = (own := case.task(blocks=blocks)).scorer.directions
        setting = Setting(own.scorer, mu, OneSided())
        (found["blocks"],) = gradient_fidelities([setting], exact.scorer, exact.start, chosen, directions_per_batch=4)
    return found


def _textbook_fidelity(case: Case, exact: LearningTask, chosen: list[Batch], mu: float) -> Fidelity:
    model = case.plain()
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for name, values in exact.parameters.tensors(exact.start).items():
        named[name].data.copy_(values)
    textbook, rows = Textbook(model, mu, RATE), []
    for number, batch in enumerate(chosen):
        slope = exact.parameters.tensors(gradient(exact.scorer, exact.start, batch))
        for query in range(4):
            seed = 4 * number + query
            with torch.inference_mode():
                found = textbook.estimate(batch, seed)
            rows.append((found, _slope_along(slope, named, seed)))
    estimated, wanted = np.array(rows).T
    return compared(estimated, wanted)


def _slope_along(slope: dict[str, Tensor], named: dict[str, nn.Parameter], seed: int) -> float:
    generator, total = torch.Generator().manual_seed(seed), 0.0
    for name, parameter in named.items():
        z = torch.normal(0.0, 1.0, parameter.shape, generator=generator, dtype=parameter.dtype)
        total += float((z.double() * slope[name].double()).sum())
    return total


@torch.inference_mode()
def peak(case: Case, what: str, mu: float, blocks: int) -> float:
    """Return the peak MiB of a few steps of one implementation, to be called in a process of its own."""
    task = case.task(blocks=blocks if what == "blocks" else 1)
    source = batches(task, case.batch)
    if what == "ours":
        step: Step = Ours(task, mu)
    elif what == "blocks":
        step = InBlocks(task, mu)
    else:
        start_model = case.plain()
        del task.scorer.model
        step = Textbook(start_model, mu, RATE) if what == "textbook" else partial(forward, start_model)
    for number in range(3):
        step(next(source), number)
    return peak_memory_mib()


def measured_peak(case: Case, what: str, blocks: int) -> float:
    """Return the peak MiB of an implementation in a new process."""
    command = [sys.executable, "-m", "benchmarks.zo_step", "--peak", what, "--case", json.dumps(asdict(case))]
    command += ["--blocks", str(blocks)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Yield what is to be measured."""
    for trainable, dtype, batch in product(options.trainable, options.dtype, options.batch):
        for distribution in ("gaussian", "rademacher") if trainable == "all" else ("gaussian",):
            yield Case(options.model, trainable, distribution, dtype, batch, options.data)


def rows_of(case: Case, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row an implementation."""
    task = case.task()
    timings = ratios(case, task, options)
    fidelity = fidelities(case, task, options.mu, options.pairs, options.blocks)
    measured = ("inference", "textbook", "ours", *(["blocks"] if options.blocks > 1 else []))
    memory = {what: measured_peak(case, what, options.blocks) for what in measured} if options.memory else {}
    for name, numbers in timings.items():
        implementation, _, compiled = name.partition(", ")
        found = fidelity[implementation]
        yield {
            "implementation": implementation,
            **asdict(case),
            "compiled": bool(compiled),
            "mu": options.mu,
            **numbers,
            "fidelity": None if found is None else round(found.correlation, 4),
            "slope": None if found is None else round(found.slope, 4),
            "error": None if found is None else round(found.error, 4),
            "memory_ratio": round(memory[implementation] / memory["inference"], 3) if memory else None,
        }


HEADER = (
    *("implementation", "trainable", "distribution", "dtype", "batch", "compiled", "ratio", "ratio_quartiles"),
    *("ratio_lean", "milliseconds", "products_share", "fidelity", "slope", "error", "memory_ratio"),
)


def main() -> None:
    """Measure, print a Markdown table a row at a time, and write the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="the folder of GSM8K")
    parser.add_argument("--model", default="SmolLM2-135M-Instruct@package_llm")
    parser.add_argument("--trainable", nargs="+", choices=TRAINABLE, default=list(TRAINABLE))
    parser.add_argument("--dtype", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--compiled", action="store_true", help="also our step with compiled layers")
    parser.add_argument("--blocks", type=int, default=1, help="also our step in so many blocks of layers")
    parser.add_argument("--mu", type=float, default=1e-3)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="the tiny model, batch 1, 5 repeats, 20 pairs")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(Case(**options.case), options.peak, options.mu, options.blocks))
        return
    if options.quick:
        vars(options).update(model="tiny-llama@random_llm", batch=[1], repeats=5, pairs=20, memory=False)
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    rows = []
    for case in cases(options):
        for row in rows_of(case, options):
            rows.append(row)
            print(f"| {' | '.join(str(row.get(name, '')) for name in HEADER)} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
