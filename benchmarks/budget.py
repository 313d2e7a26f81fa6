"""What methods learn from the same forwards: the drop of the held-out loss where each has spent as many products.

python -m benchmarks.budget [--suite FILE ...] [--methods NAME ...] [--seeds N ...] [--json FILE] [--quick]

Methods are those of a suite (configs/paper/budget.yaml), with its rates. Each runs as many rounds as the budget takes:
that of ``textbook``, which comes first, after the suite's number of rounds. Every matrix product of clients' training
is counted as it is computed, heads and backward passes included, but not the CPU's fused attention, which torch's
counter does not know (torch.utils.flop_counter); evaluation is not. ``forwards``, of a client, is that over the
products of the mean training example's forward. A method's loss at the budget is between those before and after the
round in which it is spent, in proportion. ``factor`` is its drop over the textbook's with the same seed; at the end
means over seeds with 90 % intervals. ``--quick`` takes scale smoke.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.flop_counter import FlopCounterMode

from fedmezo import config
from fedmezo.assembly import assemble_evaluator, assemble_federation, assemble_learning_task
from fedmezo.commands.experiments.suites.interval import interval
from fedmezo.commands.experiments.suites.suite import Arm, load
from fedmezo.config.overrides import as_words
from fedmezo.federation.messages import Reply
from fedmezo.zeroth_order.estimators import Lane

SUITES = Path(__file__).parents[1] / "configs" / "paper"
TEXTBOOK, EXAMPLES, MOST_ROUNDS = "textbook", 16, 100
HEADER = ("task", "method", "seed", "rate", "forwards", "before", "drop", "factor", "seconds", "bytes")


@dataclass
class Learner:
    """A run of a method, round by round.

    Args:
        arm: of the suite.
        seed: of the run.
        overrides: further ones.
    """

    arm: Arm
    seed: int
    overrides: Sequence[str]
    forwards: float = 0.0
    seconds: float = 0.0
    sent: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)  # after so many forwards

    def __post_init__(self) -> None:
        keys = {"seed": self.seed, **self.arm.overrides, "use_gpu": False}
        self.cfg = config.load(self.arm.cfg, [*as_words(keys), *self.overrides])
        self._task = assemble_learning_task(self.cfg)
        self._federation = assemble_federation(self.cfg, self._task)
        self._evaluator = assemble_evaluator(self.cfg, self._task, lambda count: None)
        self._unit = self._products_of_an_example()

    def run(self, budget: float | None) -> None:
        """Train until so many forwards are spent; None: for the rounds of the configuration."""
        rounds = self.cfg.federate.total_round_num
        self._evaluate()
        for round_index in range(rounds):
            self._train(round_index)
            if budget is not None or round_index == rounds - 1:
                self._evaluate()
            if budget is not None and self.forwards >= budget:
                return

    def drop(self, budget: float) -> float:
        """Return how far the loss has fallen after so many forwards."""
        spent, losses = zip(*self.losses, strict=True)
        return float(losses[0] - np.interp(budget, spent, losses))

    def _train(self, round_index: int) -> None:
        server, started = self._federation.server, time.perf_counter()
        plan = server.plan(round_index)
        with FlopCounterMode(display=False) as counter:
            answers = list(self._federation.engine.run(plan, server.parameters))
        replies = [answer for answer in answers if isinstance(answer, Reply)]
        server.apply(server.aggregate(plan, replies))
        self.seconds += time.perf_counter() - started
        self.forwards += counter.get_total_flops() / self._unit / len(replies)
        self.sent += sum(len(reply.message) for reply in replies)

    def _evaluate(self) -> None:
        parameters = self._federation.server.parameters
        loss = self._evaluator.results("test", self._evaluator(parameters)["test"])["loss"].value
        self.losses.append((self.forwards, loss))

    def _products_of_an_example(self) -> float:
        indices = self._task.data.partition.clients[0].train[:EXAMPLES]
        with FlopCounterMode(display=False) as counter:
            for index in indices:
                self._task.scorer.losses(self._task.start, [Lane(0, 0.0)], self._task.collate(np.array([index])))
        return float(counter.get_total_flops() / len(indices))


def rows(suite: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row a method and seed."""
    loaded = load(suite, "smoke" if options.quick else "cpu")
    arms = {arm.labels["method"]: arm for arm in loaded.arms}
    chosen = [TEXTBOOK, *(name for name in arms if name != TEXTBOOK and name in (options.methods or arms))]
    for seed in options.seeds:
        budget, textbook = None, 0.0
        for method in chosen:
            more = [] if method == TEXTBOOK else ["federate.total_round_num", str(MOST_ROUNDS)]
            learner = Learner(arms[method], seed, [*options.overrides, *more])
            learner.run(budget)
            budget = learner.forwards if budget is None else budget
            drop = learner.drop(budget)
            textbook = drop if method == TEXTBOOK else textbook
            yield {
                "task": suite.stem,
                "method": method,
                "seed": seed,
                "rate": learner.cfg.train.optimizer.lr,
                "forwards": round(learner.forwards, 1),
                "before": round(learner.losses[0][1], 4),
                "drop": round(drop, 4),
                "factor": round(drop / textbook, 3),
                "seconds": round(learner.seconds, 1),
                "bytes": learner.sent,
            }


def main() -> None:
    """Measure, print a Markdown table a row at a time, and write the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", nargs="+", type=Path, default=[SUITES / "budget.yaml"])
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="the tiny model")
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    found = []
    for suite in options.suite:
        for row in rows(suite, options):
            found.append(row)
            print(f"| {' | '.join(str(row[name]) for name in HEADER)} |", flush=True)
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for task, method in dict.fromkeys((row["task"], row["method"]) for row in found):
        own = [row for row in found if (row["task"], row["method"]) == (task, method)]
        print(f"{task}, {method}: drop {_shown(own, 'drop')}, factor {_shown(own, 'factor')}")


def _shown(own: Sequence[dict[str, Any]], name: str) -> str:
    found = interval([row[name] for row in own])
    return f"{found.mean:.3f} ± {found.half_width:.3f}"


if __name__ == "__main__":
    main()
