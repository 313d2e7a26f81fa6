"""A zeroth-order step against two plain forwards, side by side in one process, interleaved.

python -m benchmarks.zo_step [--data FOLDER] [--model NAME] [--pairs N] [--repeats N] [--compiled] [--quick]

- ``plain``: ``model(input_ids, attention_mask, labels)`` of peft and transformers, twice: what all ratios are over.
- ``lean``: the same, but logits at the response tokens only: what ``ratio_lean`` is over.
- ``textbook``: the step as MeZO publishes it: four passes of ``torch.normal`` over the parameters, added in place.
- ``ours``: the estimate and the update of ``mezotrainer``.
- ``blocks`` (``--blocks N``): its step of one-sided queries in N blocks of layers, one in each, over 1 + (q + 1) / 2
  plain forwards for q queries instead of two; milliseconds are those of two forwards of it.

A row gives medians of ratios with their quartiles, gradient fidelity over ``--pairs`` (direction, batch) pairs against
fp32 backpropagation, and the peak memory over that of inference, each in a process of its own (on a GPU: the peaks of
its allocator). ``products_share`` is the roofline: the share of our step that its matrix products would take at the
speed of one large product. FOLDER holds GSM8K; without it the batches are generated word problems. ``--quick`` takes
the tiny model and a few repeats.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.steps import DTYPES, RATE, TRAINABLE, Case, InBlocks, Ours, Step, batches, forward, lean
from benchmarks.textbook import Textbook, normal
from benchmarks.timing import held_mib, peak_above, seconds
from fedmezo.assembly import LearningTask
from fedmezo.assembly.precision import chosen_device
from fedmezo.core.memory import peak_memory_mib
from fedmezo.data.batches import Batch
from fedmezo.evaluation.fidelity import Fidelity, Setting, compared, gradient, gradient_fidelities
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided

SQUARE = 1024  # of the large product: more takes minutes in bf16 on a CPU that has none
LONG = 1e-3  # seconds that it takes at least, or a larger one is faster: on a GPU


def timed(step: Step, batch: Batch, number: int) -> float:
    """Return the seconds of a step."""
    return seconds(partial(step, batch, number), chosen_device(True, 0))


@torch.inference_mode()
def ratios(case: Case, task: LearningTask, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return, by implementation, the ratios over two plain forwards and over two lean ones."""
    device = task.parameters.buffer.device
    ours = held_mib(device)
    model = case.plain()
    theirs = held_mib(device) - ours
    steps: dict[str, Step] = {
        "plain": partial(forward, model),
        "lean": partial(lean, model),
        "textbook": Textbook(model, options.mu, RATE),
        "ours": Ours(task, options.mu),
    }
    if options.compiled and (case.trainable, case.dtype) != ("all", "bf16"):  # which is refused
        steps["ours, compiled"] = Ours(case.task(compiled=True), options.mu)
    if options.blocks > 1:
        steps["blocks"] = InBlocks(case.task(blocks=options.blocks), options.mu)
    ideal = products_alone(steps["ours"], batches(task, case.batch), case.dtype)
    spent: dict[str, list[float]] = {name: [] for name in steps}
    peaks = {name: peak_above(partial(_warm_up, step, case, task), device) for name, step in steps.items()}
    for number, batch in enumerate(islice(batches(task, case.batch), options.repeats), start=1):
        for name, step in steps.items():
            spent[name].append(timed(step, batch, number))
    plain, lean_ones = (np.array(spent.pop(name)) for name in ("plain", "lean"))
    as_many = {name: step.forwards / 2 if isinstance(step, InBlocks) else 1.0 for name, step in steps.items()}
    found = {name: _compared(np.array(own) / as_many[name], plain, lean_ones) for name, own in spent.items()}
    for name in found.keys() - {"textbook", "blocks"}:
        found[name]["products_share"] = round(ideal.seconds / float(np.mean(spent[name][: ideal.batches])), 3)
        found[name]["products_gflops"] = round(ideal.gflops)
    if device.type == "cuda":
        for name in found:
            own = (theirs if name == "textbook" else ours) + peaks[name]
            found[name] |= {"peak_mib": round(own), "memory_ratio": round(own / (theirs + peaks["plain"]), 3)}
    return found


def _warm_up(step: Step, case: Case, task: LearningTask) -> None:
    for batch in islice(batches(task, case.batch), 2):
        step(batch, 0)


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
    chosen = list(islice(source, 5))
    gflops = _speed(torch.float32 if dtype == "fp32" else torch.bfloat16, chosen_device(True, 0))
    with FlopCounterMode(display=False) as counter:
        for number, batch in enumerate(chosen):
            step(batch, number)
    return Ideal(counter.get_total_flops() / len(chosen) / gflops / 1e9, gflops, len(chosen))


def _speed(dtype: torch.dtype, device: torch.device) -> float:
    """Return the 1e9 operations a second of a large product."""
    size, best = SQUARE // 2, 0.0
    while best < LONG:
        size *= 2
        square = torch.ones(size, size, dtype=dtype, device=device)
        best = min(seconds(partial(torch.matmul, square, square), device) for _ in range(10))
    return 2 * size**3 / best / 1e9


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
    total = 0.0
    torch.manual_seed(seed)
    for name, parameter in named.items():
        total += float((normal(parameter).double() * slope[name].double()).sum())
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
    apart = options.memory and task.parameters.buffer.device.type == "cpu"  # a GPU's allocator can forget its peak
    memory = {what: measured_peak(case, what, options.blocks) for what in measured} if apart else {}
    for name, numbers in timings.items():
        implementation, _, compiled = name.partition(", ")
        found = fidelity[implementation]
        yield {
            "implementation": implementation,
            **asdict(case),
            "compiled": bool(compiled),
            "mu": options.mu,
            "memory_ratio": round(memory[implementation] / memory["inference"], 3) if memory else None,
            **numbers,
            "fidelity": None if found is None else round(found.correlation, 4),
            "slope": None if found is None else round(found.slope, 4),
            "error": None if found is None else round(found.error, 4),
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
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=["fp32", "bf16"])
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
