"""What a client sends of what it has learnt: scalars, or the weights that they lead to."""

from dataclasses import dataclass, replace

from torch import Tensor

from fedmezo.federation.messages import Message, Task, pack_answer
from fedmezo.training import LocalUpdate
from fedmezo.zeroth_order.replay import Replay, Steps


@dataclass(frozen=True)
class Uplink:
    """Packs a client's updates.

    Args:
        identity: of the run.
        replay: given where a zeroth-order trainer's clients send weights: those that its scalars lead to.
    """

    identity: bytes
    replay: Replay | None = None

    def __call__(self, task: Task, update: LocalUpdate, start: Tensor, keys: list[list[int]]) -> Message:
        """Return the message of an update from ``start`` [d] along the directions of ``keys`` [H][Q]."""
        if self.replay is not None and update.gradients is not None:
            steps = Steps(keys[: len(update.gradients)], update.gradients, task.learning_rate)
            update = replace(update, gradients=None, failed=(), point=self.replay(start, [steps]))
        return pack_answer(self.identity, task, update)
