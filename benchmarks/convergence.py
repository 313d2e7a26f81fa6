"""The loss of the word problems over several seeds: ours, and the textbook's step in fp32 with averaged weights.

python -m benchmarks.convergence [--cfg FILE] [--seeds N ...] [--json FILE] [--figure FILE] [--add FILE ...]

Both start from the same point and see the same batches; a seed changes partition, initial adapter, order and
directions. The textbook's clients step in place (:mod:`benchmarks.textbook`), and the server averages their weights.
Loss is that of the evaluated test examples, before the first round and after the last.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.textbook import Textbook
from fedmezo import config
from fedmezo.assembly import Federation, LearningTask, assemble_evaluator, assemble_federation, assemble_learning_task
from fedmezo.core.randomness import stream_key

NAMES = ("ours", "textbook")
Round = Callable[[int, Tensor], Tensor]


def ours(federation: Federation) -> Round:
    """Return the round of ``mezotrainer``."""

    def run(round_index: int, parameters: Tensor) -> Tensor:
        server = federation.server
        record = server.aggregate(server.plan(round_index), federation.engine.run(server.plan(round_index), parameters))
        server.apply(record)
        return server.parameters

    return run


def textbook(task: LearningTask, federation: Federation, mu: float, rate: float, seed: int) -> Round:
    """Return a round of clients that take the published step, and a server that averages weights."""

    @torch.inference_mode()
    def run(round_index: int, parameters: Tensor) -> Tensor:
        total, examples, data = torch.zeros_like(parameters), 0, federation.local_data
        for client in federation.server.sample(round_index):
            with task.scorer.at(parameters) as model:
                step, steps = Textbook(model, mu, rate), data.steps(client)
                for number in range(steps):
                    key = stream_key(seed, "strategy", round_index=round_index, client=client, step=number)
                    step(data.batch(client, round_index * steps + number), key)
                count = steps * len(data.indices(client, 0))
                total.add_(task.parameters.gather(), alpha=count)
                examples += count
        return total / examples

    return run


def trained(task: LearningTask, run: Round, rounds: int) -> Tensor:
    """Return the parameters after the last round."""
    parameters = task.start
    for round_index in range(rounds):
        parameters = run(round_index, parameters)
    return parameters


def measure(options: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """Return the loss before the first round and after the last, for each implementation."""
    cfg = config.load(options.cfg, [*options.overrides, "seed", str(seed)])
    task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, task)
    evaluator = assemble_evaluator(cfg, task, lambda count: None)
    runs = {
        "ours": ours(federation),
        "textbook": textbook(task, federation, cfg.zo.mu, cfg.train.optimizer.lr, cfg.seed),
    }

    def evaluate(parameters: Tensor) -> float:
        return evaluator.results("test", evaluator(parameters)["test"])["loss"].value

    before = evaluate(task.start)
    rounds = cfg.federate.total_round_num
    return {name: [before, evaluate(trained(task, run, rounds))] for name, run in runs.items()}


def draw(found: list[dict[str, list[float]]], path: Path) -> None:
    """Draw the drops of all seeds, and their means."""
    mpl.rcParams["svg.hashsalt"] = "convergence"
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, color) in enumerate((("textbook", "#888888"), ("ours", "#0b6fa4"))):
        drops = np.array([each[name][0] - each[name][1] for each in found])
        axes.scatter(np.full(len(drops), place) + np.linspace(-0.08, 0.08, len(drops)), drops, color=color)
        axes.hlines(drops.mean(), place - 0.25, place + 0.25, color=color, linewidth=2)
        axes.annotate(f"mean {drops.mean():.3f}", (place + 0.27, drops.mean()), va="center")
    axes.set_xticks([0, 1], ["textbook, fp32", "ours"])
    axes.set_xlim(-0.5, 1.9)
    axes.set_ylim(bottom=0, top=1.1 * max(each[name][0] - each[name][1] for each in found for name in NAMES))
    axes.set_ylabel("drop of the test loss")
    axes.set_title(f"Word problems, {len(found)} seeds")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print a table, write the curves and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=Path, default=Path("configs/word_problems.yaml"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    parser.add_argument("--add", nargs="+", type=Path, default=[], help="files that --json wrote before")
    options = parser.parse_intermixed_args()
    print("| seed | before | ours, after | textbook, after | drop, ours | drop, textbook |\n|---|---|---|---|---|---|")
    found = {int(seed): each for path in options.add for seed, each in json.loads(path.read_text("utf-8")).items()}
    for seed in sorted({*found, *options.seeds}):
        found[seed] = found.get(seed) or measure(options, seed)
        a, b = found[seed]["ours"], found[seed]["textbook"]
        cells = [seed, *(f"{value:.4f}" for value in (a[0], a[-1], b[-1], a[0] - a[-1], b[0] - b[-1]))]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    drops = {name: np.array([each[name][0] - each[name][-1] for each in found.values()]) for name in NAMES}
    for name, values in drops.items():
        spread = values.std(ddof=1)
        print(f"{name}: mean drop {values.mean():.4f}, {values.mean() / spread:.1f} times the spread over seeds")
    print(f"ours over textbook: {drops['ours'].mean() / drops['textbook'].mean():.3f}")
    if options.figure:
        draw(list(found.values()), options.figure)


if __name__ == "__main__":
    main()
