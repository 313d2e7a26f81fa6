"""A client's work in a round: a function of its task, the global parameters and its own data."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from torch import Tensor

from fedmezo.data.client_batches import LocalData
from fedmezo.federation.communication import Uplink
from fedmezo.federation.messages import Message, Reply, Task
from fedmezo.training import LocalUpdate, LocalWork, TogetherTrainer, Trainer
from fedmezo.training.flops import FlopCounter
from fedmezo.training.validation import checked_update
from fedmezo.zeroth_order.replay import DirectionKeys


@dataclass(frozen=True)
class ClientExecutor:
    """What an engine executes, anywhere, for any client; ``lanes`` of them together where they share a process.

    ``counter`` counts the operations of training, in this process; None: nobody asks.
    """

    trainer: Trainer
    data: LocalData
    keys: DirectionKeys
    uplink: Uplink
    on_step: Callable[[float], None]
    lanes: int = 1
    counter: FlopCounter | None = None

    def __call__(self, task: Task, parameters: Tensor) -> Reply:
        """Train one client from the global parameters [d]."""
        started = time.perf_counter()
        work = self._work(task)
        with self.counter or nullcontext():
            update = self.trainer.train(parameters, work)
        message = self._message(task, work, update, parameters)
        return Reply(task, message, time.perf_counter() - started)

    def together(self, tasks: Sequence[Task], parameters: Tensor) -> list[Reply]:
        """Train several clients in step, if the trainer can; their seconds are those of all, divided among them."""
        if len(tasks) == 1 or not isinstance(self.trainer, TogetherTrainer):
            return [self(task, parameters) for task in tasks]
        started = time.perf_counter()
        works = [self._work(task) for task in tasks]
        with self.counter or nullcontext():
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
