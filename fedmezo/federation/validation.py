"""Which answers of clients count: what arrives is checked, as anybody can send anything."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fedmezo.core.errors import MalformedError
from fedmezo.core.log import LOG
from fedmezo.federation.messages import Answer, Reply, Task, unpack_answer
from fedmezo.ledger.records import REASONS, Rejection
from fedmezo.training import RETRIES, LocalUpdate

MALFORMED, IDENTITY, ROUND, CLIENT, COUNT, NOT_FINITE, BOUND, FAILED, LATE = REASONS
UNANSWERED = (FAILED, LATE)


@dataclass(frozen=True)
class AnswerValidation:
    """The server's check of an answer.

    Args:
        identity: of the run.
        size: number of parameters d.
        queries: Q, where scalars travel; 0 where weights do.
        most_examples: that a client can have trained on in so many steps of a round.
        bound: on the size of a projected gradient.
        dtype: of the parameters.
    """

    identity: bytes
    size: int
    queries: int
    most_examples: Callable[[int, int], int]
    bound: float
    dtype: torch.dtype = torch.float32

    def __call__(self, reply: Reply) -> LocalUpdate | Rejection:
        """Return the update of an answer, or why it does not count."""
        try:
            answer = unpack_answer(reply.message)
            reason = self._reason(answer, reply.task)
        except MalformedError:
            reason = MALFORMED
        if not reason:
            return answer.update
        LOG.warning(
            f"round {reply.task.round_index}: the answer of client {reply.task.client} is {reason}; it does not count"
            if reason in (MALFORMED, IDENTITY, ROUND, CLIENT)
            else f"round {reply.task.round_index}: the answer of client {reply.task.client} has {reason}; "
            "it does not count"
        )
        return Rejection(reply.task.client, reason)

    def _reason(self, answer: Answer, task: Task) -> str:
        update = answer.update
        if answer.identity != self.identity:
            return IDENTITY
        if answer.round_index != task.round_index:
            return ROUND
        if answer.client != task.client:
            return CLIENT
        values = update.gradients
        if math.isinf(update.train_loss):
            return NOT_FINITE
        steps = task.steps if values is None else len(values)
        if steps > task.steps:
            return COUNT
        most = steps * max(1, self.queries) * RETRIES
        if not len(update.failed) <= update.nonfinite <= most:
            return COUNT
        if update.examples > self.most_examples(task.client, steps):  # it would have more say than it is due
            return COUNT
        if values is None:
            return self._weights_reason(update)
        if self.queries == 0 or values.shape[1] != self.queries or len(values) < 1:
            return COUNT  # fewer steps than asked for are a prefix, and count as such
        if not np.isfinite(values).all():
            return NOT_FINITE
        if any(values[where] != 0.0 for where in update.failed):
            return MALFORMED
        return BOUND if (np.abs(values) > self.bound).any() else ""

    def _weights_reason(self, update: LocalUpdate) -> str:
        assert update.point is not None
        if self.queries or update.point.numel() != self.size or update.point.dtype != self.dtype:
            return COUNT
        return "" if bool(torch.isfinite(update.point).all()) else NOT_FINITE
