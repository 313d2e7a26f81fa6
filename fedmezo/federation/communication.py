"""What travels between server and clients, and how many bytes that are.

A client knows the global parameters as they were when it last took part (or the run's initial ones, which follow from
the seed). It is sent the rounds it has missed since, or the parameters, whichever is less. It answers with scalars, or
the weights that they lead to.
"""

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from fedmezo.federation.callbacks import Traffic
from fedmezo.federation.messages import IDENTITY_SIZE, Message, Task, pack_answer, pack_log, pack_order
from fedmezo.federation.validation import UNANSWERED
from fedmezo.ledger.records import ClientRecord, RoundRecord
from fedmezo.training import LocalUpdate
from fedmezo.zeroth_order.replay import Replay, Steps

# the paper's run: LoRA r=128 on q and v of a model of 3 billion parameters, 26 layers of 3,200: 26 x 2 x 2 x 3200 x 128
# parameters, 85.2 MB in fp16
# Source: Ling et al. (KDD 2024), section 6.1
CLIENTS, ROUNDS, STEPS, PARAMETERS, ITEMSIZE = 3, 500, 30, 26 * 2 * 2 * 3200 * 128, 2


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
        """Return the message of an update from ``start`` [d] along the directions of ``keys`` [H, Q]."""
        if self.replay is not None and update.gradients is not None:
            steps = Steps(keys[: len(update.gradients)], update.gradients, task.learning_rate)
            update = replace(update, gradients=None, failed=(), point=self.replay(start, [steps]))
        return pack_answer(self.identity, task, update)


class Downlink:
    """The server's memory of who knows what.

    Args:
        identity: of the run.
        size: number of parameters d.
        scalars: whether scalars travel; otherwise every client is sent the parameters.
        itemsize: bytes of a parameter.
        stateful: whether the aggregation rule has a state, which only the log of all rounds rebuilds.
    """

    def __init__(self, identity: bytes, size: int, scalars: bool, itemsize: int = 4, stateful: bool = False) -> None:
        self._identity = identity
        self._weights = itemsize * size  # bytes of all parameters
        self._scalars = scalars
        self._stateful = stateful
        self._rounds: list[RoundRecord] = []
        self._bytes = [0]  # of the logs of the first n rounds
        self._known: dict[int, int] = {}  # rounds whose effect a client knows

    @property
    def rounds(self) -> int:
        """How many it has seen."""
        return len(self._rounds)

    @property
    def most_bytes(self) -> int:
        """How many a message can have, but for its head: those of all parameters."""
        return self._weights

    def order(self, task: Task, parameters: Tensor, known: int | None = None) -> Message:
        """Return the message that sends a client to work on the global parameters [d].

        Args:
            task: its task.
            parameters: the global ones.
            known: rounds whose effect it knows, where it has said so (it may have been away, or started again).
        """
        first = self._known.get(task.client, 0) if known is None else known
        if first <= len(self._rounds) and self._log_pays(first):
            return pack_order(self._identity, task, first, self._rounds[first:])
        return pack_order(self._identity, task, len(self._rounds), (), parameters)

    def observe(self, record: RoundRecord) -> list[Traffic]:
        """Take note of a round, and return the bytes of the clients whose answers count, in order."""
        traffic = [Traffic(self._up(record, client), self._down(record, client)) for client in record.clients]
        answered = (row.client for row in record.rejected if row.reason not in UNANSWERED)
        for number in (*(row.client for row in record.clients), *answered):
            self._known[number] = record.round_index
        self._rounds.append(record)
        self._bytes.append(self._bytes[-1] + (len(pack_log(record)) if self._scalars else 0))
        return traffic

    def _log_pays(self, first: int) -> bool:
        return self._scalars and (self._stateful or self._bytes[-1] - self._bytes[first] <= self._weights)

    def _down(self, record: RoundRecord, client: ClientRecord) -> int:
        task = Task(record.round_index, client.client, client.learning_rate, 0)
        first = self._known.get(client.client, 0)
        payload = self._bytes[-1] - self._bytes[first] if self._log_pays(first) else self._weights
        return len(pack_order(self._identity, task, first, ())) + payload

    def _up(self, record: RoundRecord, client: ClientRecord) -> int:
        task = Task(record.round_index, client.client, client.learning_rate, 0)
        gradients = client.gradients if self._scalars else np.zeros((0, 0), dtype=np.float32)
        failed = () if client.failed is None else tuple((int(s), int(q)) for s, q in np.argwhere(client.failed))
        update = LocalUpdate(client.train_loss, client.examples, client.nonfinite, gradients=gradients, failed=failed)
        return len(pack_answer(self._identity, task, update)) + (0 if self._scalars else self._weights)


def round_traffic(size: int, steps: list[int], queries: int, scalars: bool, itemsize: int = 4) -> Traffic:
    """Return the most that a client sends and is sent in a round in which all take part, as in the one before.

    Args:
        size: number of parameters.
        steps: of each client.
        queries: Q of a step.
        scalars: whether scalars travel.
        itemsize: bytes of a parameter.
    """
    downlink = Downlink(bytes(IDENTITY_SIZE), size, scalars, itemsize)
    downlink.observe(_round(0, steps, queries))
    found = downlink.observe(_round(1, steps, queries))
    return Traffic(max(traffic.up for traffic in found), max(traffic.down for traffic in found))


def paper_bytes(scalars: bool) -> int:
    """Return the bytes that travel in the paper's run, both ways, of all clients and rounds."""
    traffic = round_traffic(PARAMETERS, [STEPS] * CLIENTS, 1, scalars, ITEMSIZE)
    return ROUNDS * CLIENTS * (traffic.up + traffic.down)


def _round(number: int, steps: list[int], queries: int) -> RoundRecord:
    return RoundRecord(
        number,
        tuple(
            ClientRecord(client, 1.0, 1, 1, 1.0, gradients=np.zeros((count, queries), dtype=np.float32))
            for client, count in enumerate(steps)
        ),
    )
