"""A client's work in a round: a function of its task, the global parameters and its own data."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.core.randomness import ABSENT, stream_key
from fedmezo.data.batches import Batch
from fedmezo.data.client_batches import batch_indices, batch_span, epoch_batches
from fedmezo.federation.communication import Uplink
from fedmezo.federation.messages import Message, Reply, Task
from fedmezo.training import LocalUpdate, LocalWork, TogetherTrainer, Trainer
from fedmezo.training.validation import checked_update


@dataclass(frozen=True)
class DirectionKeys:
    """Stream keys of the directions.

    Args:
        seed: ``zo.seed``, or the run's seed.
        queries: Q directions a step.
        shared: True leaves the client out of the key, so that all clients use the same directions.
    """

    seed: int
    queries: int = 1
    shared: bool = False

    def __call__(self, round_index: int, client: int, steps: int) -> list[list[int]]:
        """Return the keys of a client's round, [H][Q]."""
        who = ABSENT if self.shared else client
        return [
            [
                stream_key(self.seed, "direction", round_index=round_index, client=who, step=step, query=query)
                for query in range(self.queries)
            ]
            for step in range(steps)
        ]


@dataclass(frozen=True)
class LocalData:
    """The training examples of every client, as batches by position.

    Args:
        examples: indices of each client's training examples, of those that there are data for.
        collate: makes a batch of examples.
        seed, batch_size, shuffle: of the order (:func:`fedmezo.data.client_batches.batch_indices`).
        local_steps: H of a round, or epochs if ``by_epoch``.
        short: the last batch of an epoch is short, so that each epoch meets each example once.
        attempts: batches that a step may try while its loss is not finite.
    """

    examples: Mapping[int, NDArray[np.int64]]
    collate: Callable[[NDArray[np.int64]], Batch]
    seed: int
    batch_size: int
    shuffle: bool
    local_steps: int
    by_epoch: bool
    short: bool = False
    attempts: int = 1

    def steps(self, client: int) -> int:
        """Return H of a client."""
        if not self.by_epoch:
            return self.local_steps
        return self.local_steps * epoch_batches(len(self.examples[client]), self.batch_size)

    def most_examples(self, client: int, steps: int) -> int:
        """Return how many examples so many steps of a round train on, at most."""
        sizes = [self._span(client, index)[1] for index in range(steps + self.attempts - 1)]
        return sum(max(sizes[step : step + self.attempts]) for step in range(steps))

    def indices(self, client: int, index: int) -> NDArray[np.int64]:
        """Return the examples of the client's batch number ``index``, counted from the start of the run."""
        own = self.examples[client]
        first, size = self._span(client, index)
        return own[batch_indices(len(own), size, first, self.seed, client, self.shuffle)]

    def batch(self, client: int, index: int) -> Batch:
        """Return the client's batch number ``index``."""
        return self.collate(self.indices(client, index))

    def _span(self, client: int, index: int) -> tuple[int, int]:
        return batch_span(len(self.examples[client]), self.batch_size, index, short=self.short)


@dataclass(frozen=True)
class ClientExecutor:
    """What an engine executes, anywhere, for any client; ``lanes`` of them together where they share a process."""

    trainer: Trainer
    data: LocalData
    keys: DirectionKeys
    uplink: Uplink
    on_step: Callable[[float], None]
    lanes: int = 1

    def __call__(self, task: Task, parameters: Tensor) -> Reply:
        """Train one client from the global parameters [d]."""
        started = time.perf_counter()
        work = self._work(task)
        message = self._message(task, work, self.trainer.train(parameters, work), parameters)
        return Reply(task, message, time.perf_counter() - started)

    def together(self, tasks: Sequence[Task], parameters: Tensor) -> list[Reply]:
        """Train several clients in step, if the trainer can; their seconds are those of all, divided among them."""
        if len(tasks) == 1 or not isinstance(self.trainer, TogetherTrainer):
            return [self(task, parameters) for task in tasks]
        started = time.perf_counter()
        works = [self._work(task) for task in tasks]
        updates = self.trainer.train_together(parameters, works)
        seconds = (time.perf_counter() - started) / len(tasks)
        return [
            Reply(task, self._message(task, work, update, parameters), seconds)
            for task, update, work in zip(tasks, updates, works, strict=True)
        ]

    def _message(self, task: Task, work: LocalWork, update: LocalUpdate, start: Tensor) -> Message:
        return self.uplink(task, checked_update(self.trainer, update, start, work), start, work.keys)

    def _work(self, task: Task) -> LocalWork:
        first = task.round_index * self.data.steps(task.client)
        return LocalWork(
            round_index=task.round_index,
            client=task.client,
            learning_rate=task.learning_rate,
            steps=task.steps,
            batch=lambda step: self.data.batch(task.client, first + step),
            keys=self.keys(task.round_index, task.client, task.steps),
            on_step=self.on_step,
        )
