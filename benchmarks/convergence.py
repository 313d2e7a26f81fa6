"""The loss of the quickstart over several seeds: ours, and the textbook's step in fp32 with averaged weights.

python -m benchmarks.convergence [--cfg FILE] [--seeds N ...] [--json FILE] [--figure FILE] [key value ...]

Both start from the same point and see the same batches; a seed changes partition, initial adapter, order and
directions. The textbook's clients step in place (:mod:`benchmarks.textbook`), and the server averages their weights.
Loss is that of the evaluated test examples, before the first round, half way, and after the last.
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
from fedmezo.assembly import Federation, Problem, assemble_evaluator, assemble_federation, assemble_problem
from fedmezo.randomness import stream_key

Round = Callable[[int, Tensor], Tensor]


def ours(problem: Problem, federation: Federation) -> Round:
    """Return the round of ``mezotrainer``."""

    def run(round_index: int, parameters: Tensor) -> Tensor:
        server = federation.server
        record = server.aggregate(server.plan(round_index), federation.engine.run(server.plan(round_index), parameters))
        server.apply(record)
        return server.parameters

    return run


def textbook(problem: Problem, federation: Federation, mu: float, rate: float, seed: int) -> Round:
    """Return a round of clients that take the published step, and a server that averages weights."""

    @torch.inference_mode()
    def run(round_index: int, parameters: Tensor) -> Tensor:
        total, examples, data = torch.zeros_like(parameters), 0, federation.local_data
        for client in federation.server.sample(round_index):
            with problem.scorer.at(parameters) as model:
                step, steps = Textbook(model, mu, rate), data.steps(client)
                for number in range(steps):
                    key = stream_key(seed, "strategy", round_index=round_index, client=client, step=number)
                    step(data.batch(client, round_index * steps + number), key)
                count = steps * len(data.indices(client, 0))
                total.add_(problem.parameters.gather(), alpha=count)
                examples += count
        return total / examples

    return run


def curve(problem: Problem, evaluate: Callable[[Tensor], float], run: Round, rounds: int) -> list[float]:
    """Return the loss before the first round, half way, and after the last."""
    parameters = problem.start
    losses = [evaluate(parameters)]
    for round_index in range(rounds):
        parameters = run(round_index, parameters)
        if round_index + 1 in (rounds // 2, rounds):
            losses.append(evaluate(parameters))
    return losses


def measure(options: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """Return both curves of a seed."""
    cfg = config.load(options.cfg, [*options.overrides, "seed", str(seed)])
    problem = assemble_problem(cfg)
    federation = assemble_federation(cfg, problem)
    evaluator = assemble_evaluator(cfg, problem, lambda count: None)
    rounds, rate = cfg.federate.total_round_num, cfg.train.optimizer.lr

    def evaluate(parameters: Tensor) -> float:
        return evaluator.summary(evaluator(parameters))["test"]

    return {
        "ours": curve(problem, evaluate, ours(problem, federation), rounds),
        "textbook": curve(problem, evaluate, textbook(problem, federation, cfg.zo.mu, rate, cfg.seed), rounds),
    }


def draw(found: list[dict[str, list[float]]], path: Path) -> None:
    """Draw the curves of all seeds, and their means."""
    mpl.rcParams["svg.hashsalt"] = "convergence"
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name, color in (("textbook", "#888888"), ("ours", "#0b6fa4")):
        curves = np.array([each[name] for each in found])
        for row in curves:
            axes.plot(row, color=color, alpha=0.35, linewidth=1)
        axes.plot(curves.mean(axis=0), color=color, linewidth=2.5, label=f"{name}, mean of {len(curves)} seeds")
    axes.set_xticks([0, 1, 2], ["before", "half way", "after"])
    axes.set_ylabel("test loss")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print a table, write the curves and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=Path, default=Path("configs/quickstart.yaml"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    print("| seed | before | ours, after | textbook, after | drop, ours | drop, textbook |\n|---|---|---|---|---|---|")
    found = []
    for seed in options.seeds:
        each = measure(options, seed)
        found.append(each)
        a, b = each["ours"], each["textbook"]
        print(
            f"| {seed} | {a[0]:.4f} | {a[-1]:.4f} | {b[-1]:.4f} | {a[0] - a[-1]:.4f} | {b[0] - b[-1]:.4f} |", flush=True
        )
    drops = {name: np.array([each[name][0] - each[name][-1] for each in found]) for name in ("ours", "textbook")}
    for name, values in drops.items():
        spread = values.std(ddof=1)
        print(
            f"{name}: mean drop {values.mean():.4f}, spread over seeds {spread:.4f}: {values.mean() / spread:.1f} of it"
        )
    print(f"ours over textbook: {drops['ours'].mean() / drops['textbook'].mean():.3f}")
    if options.json:
        options.json.write_text(
            json.dumps(dict(zip(options.seeds, found, strict=True)), indent=1) + "\n", encoding="utf-8"
        )
    if options.figure:
        draw(found, options.figure)


if __name__ == "__main__":
    main()
