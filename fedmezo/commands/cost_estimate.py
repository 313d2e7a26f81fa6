"""What a run will take: its own work tried on a few of its own batches, and scaled to all of them.

Which batches a run meets is a function of its configuration, so their lengths are known before it starts. Time is
linear in the padded tokens of a batch to the precision wanted here; memory has its peak on the longest batch.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from yacs.config import CfgNode

from fedmezo.assembly import (
    Federation,
    LearningTask,
    assemble_answer_evaluations,
    assemble_evaluator,
    zeroth_order,
)
from fedmezo.assembly.arguments import step_rule
from fedmezo.core.memory import peak_memory_mib
from fedmezo.federation.messages import Plan, Reply, Task
from fedmezo.training import LocalWork
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.steps.cost import lanes_of_steps

MOST_BATCHES = 20_000
REPEATS = 3
FEW = 12  # examples of which what is kept is computed, to see how long it takes

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Cost:
    """An estimate: seconds of all rounds, of one of them without evaluation, of one evaluation, and peak memory.

    On top come ``answer_seconds``, of all answers that the model writes before and after training, and
    ``kept_seconds``, of what is computed once for each example that is met.
    """

    seconds: float
    round_seconds: float
    evaluation_seconds: float
    memory_mib: float
    answer_seconds: float = 0.0
    kept_seconds: float = 0.0


@dataclass(frozen=True)
class Linear:
    """Seconds as a function of tokens."""

    constant: float
    per_token: float

    def __call__(self, tokens: float) -> float:
        """Return the seconds of a batch."""
        return self.constant + self.per_token * tokens


def estimate(cfg: CfgNode, learning_task: LearningTask, federation: Federation) -> Cost:
    """Try a local step, the server's part and an evaluation batch, and scale them to the run; nothing is kept.

    Args:
        cfg: of the run.
        learning_task, federation: assembled from it.
    """
    lengths = np.diff(learning_task.data.encoded.offsets)
    batches = list(islice(_training_batches(cfg, federation), MOST_BATCHES))
    kept = _kept_seconds(cfg, learning_task, batches, lengths)
    tokens = np.array([_padded(lengths, batch) for batch in batches])
    step = _fit(
        lambda number: _local_step(federation, learning_task, batches[number]),
        tokens,
        lambda number: learning_task.scorer.prepare(learning_task.collate(batches[number])),
    )
    lanes = _steps(cfg, federation) * _relative_lanes(cfg, federation)
    round_seconds = lanes * step(float(tokens.mean())) + _server_seconds(cfg, learning_task, federation)
    evaluation = _evaluation_seconds(cfg, learning_task, lengths)
    evaluations = len(
        {*range(cfg.eval.freq, cfg.federate.total_round_num, cfg.eval.freq), cfg.federate.total_round_num}
    )
    seconds = cfg.federate.total_round_num * round_seconds + evaluations * evaluation
    answers = _answer_seconds(cfg, learning_task)
    return Cost(seconds, round_seconds, evaluation, peak_memory_mib(), answers, kept)


def _kept_seconds(cfg: CfgNode, learning_task: LearningTask, batches: Sequence[Indices], lengths: Indices) -> float:
    """Return the seconds of computing once what is kept of every example that is met, from those of a few."""
    if not learning_task.scorer.keeps:
        return 0.0
    evaluator = assemble_evaluator(cfg, learning_task, lambda count: None)
    met = np.unique(np.concatenate([*batches, *(evaluator.examples(split) for split in evaluator.splits)]))
    first, few = met[:1], met[1 :: max(1, len(met) // FEW)]
    learning_task.scorer.prepare(learning_task.collate(first))  # a warm-up
    started = time.perf_counter()
    learning_task.scorer.prepare(learning_task.collate(few if len(few) else first))
    return (time.perf_counter() - started) * float(lengths[met].sum() / max(1, lengths[few].sum()))


def _training_batches(cfg: CfgNode, federation: Federation) -> Iterator[Indices]:
    """Yield the examples of every batch of the run, in order."""
    data = federation.local_data
    for round_index in range(cfg.federate.total_round_num):
        for client, steps in federation.server.sample(round_index).items():
            horizon = data.steps(client)
            for step in range(steps):
                yield data.indices(client, round_index * horizon + step)


def _padded(lengths: Indices, batch: Indices) -> int:
    return len(batch) * int(lengths[batch].max())


def _fit(work: Callable[[int], object], tokens: Indices, prepare: Callable[[int], object]) -> Linear:
    """Return the line through the times of a typical batch and of the longest one, both tried after a warm-up."""
    typical, longest = int(np.argsort(tokens, kind="stable")[len(tokens) // 2]), int(tokens.argmax())
    prepare(typical), prepare(longest)
    _seconds(work, typical, repeats=1)
    at_typical, at_longest = _seconds(work, typical, REPEATS), _seconds(work, longest, 1)
    more = float(tokens[longest] - tokens[typical])
    slope = (at_longest - at_typical) / more if more else 0.0
    if not 0.0 < slope * tokens[typical] <= at_typical:  # too noisy, or all batches alike: in proportion
        return Linear(0.0, at_typical / float(tokens[typical]))
    return Linear(at_typical - slope * float(tokens[typical]), slope)


def _seconds(work: Callable[[int], object], number: int, repeats: int) -> float:
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        work(number)
        found.append(time.perf_counter() - started)
    return float(np.median(found))


def _local_step(federation: Federation, learning_task: LearningTask, batch: Indices) -> None:
    """Take one local step on a batch and have the server fold it in."""
    federation.executor.trainer.train(learning_task.start, _one_step(federation, learning_task, batch))


def _one_step(federation: Federation, learning_task: LearningTask, batch: Indices) -> LocalWork:
    return LocalWork(
        round_index=0,
        client=0,
        learning_rate=federation.server.rates.base,
        steps=1,
        batch=lambda step: learning_task.collate(batch),
        keys=federation.executor.keys(0, 0, 1),
        on_step=lambda loss: None,
    )


def _steps(cfg: CfgNode, federation: Federation) -> float:
    """Return the local steps of a round, of all its clients, on average."""
    rounds = cfg.federate.total_round_num
    total = sum(sum(federation.server.sample(index).values()) for index in range(rounds))
    return float(total / rounds)


def _relative_lanes(cfg: CfgNode, federation: Federation) -> float:
    """Return how many lanes a step of a round has on average, to those of a round of one step."""
    if not zeroth_order(cfg):
        return 1.0
    estimator, rule, queries = make_estimator(cfg.zo.estimator), step_rule(cfg), cfg.zo.queries
    found = lanes_of_steps(estimator, rule, queries, max(federation.server.sample(0).values()))
    return float(np.mean(found)) / lanes_of_steps(estimator, rule, queries, 1)[0]


def _server_seconds(cfg: CfgNode, learning_task: LearningTask, federation: Federation) -> float:
    """Return the seconds of aggregating and applying a round, and of replaying prefixes where weights decay.

    A scalar costs a replayed direction, whoever sent it; with weight decay a client replays its steps before each.
    """
    batch = learning_task.data.partition.clients[0].train[:1]
    task, work = Task(0, 0, federation.server.rates.base, 1), _one_step(federation, learning_task, batch)
    update = federation.executor.trainer.train(learning_task.start, work)
    message = federation.executor.uplink(task, update, learning_task.start, work.keys)
    record = federation.server.aggregate(Plan(0, (task,)), iter([Reply(task, message, 0.0)]))
    with learning_task.scorer.restoring(learning_task.start):
        started = time.perf_counter()
        out = learning_task.start if federation.server.in_place else None
        federation.server.aggregation.apply(record, learning_task.start, out, federation.server.state)
        seconds = time.perf_counter() - started
    if not federation.scalars:
        return seconds * len(federation.server.sample(0))
    steps = list(federation.server.sample(0).values())
    replayed = sum(count * (count - 1) / 2 for count in steps) if cfg.train.optimizer.weight_decay else 0.0
    return seconds * (sum(steps) + replayed)


def _answer_seconds(cfg: CfgNode, learning_task: LearningTask) -> float:
    """Return the seconds of the answers before and after training, from those of a batch of each split."""
    evaluations = assemble_answer_evaluations(cfg, learning_task, Path())
    total = 0.0
    for indices in evaluations.splits.values():
        few = indices[: cfg.eval.batch_size]
        started = time.perf_counter()
        evaluations.answer(learning_task.start, few)
        total += (time.perf_counter() - started) * len(indices) / len(few)
    return 2 * total


def _evaluation_seconds(cfg: CfgNode, learning_task: LearningTask, lengths: Indices) -> float:
    evaluator = assemble_evaluator(cfg, learning_task, lambda count: None)
    size = cfg.eval.batch_size
    total = 0.0
    for split in evaluator.splits:
        ordered = evaluator.examples(split)
        ordered = ordered[np.argsort(lengths[ordered], kind="stable")]
        batches = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
        tokens = np.array([_padded(lengths, batch) for batch in batches])
        line = _fit(
            lambda number, own=batches: evaluator.score(learning_task.start, own[number]),  # type: ignore[misc]
            tokens,
            lambda number, own=batches: learning_task.scorer.prepare(learning_task.collate(own[number])),  # type: ignore[misc]
        )
        total += sum(map(line, tokens))
    return total
