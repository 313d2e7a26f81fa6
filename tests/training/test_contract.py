"""What every registered trainer has to keep."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fedmezo import config, training
from fedmezo.assembly import LearningTask, assemble_federation
from fedmezo.federation.messages import Plan, Task, unpack_answer
from tests.federation.engines.alone import replies


@pytest.mark.parametrize("name", sorted(training.registry.names()))
def test_contract(name: str, tiny_yaml: Callable[..., Path], tiny_task: LearningTask) -> None:
    """Scalars or weights; the same twice; depends on the client; start and model untouched."""
    federation = assemble_federation(config.load(tiny_yaml(trainer={"type": name})), tiny_task)
    start, buffer = tiny_task.start.clone(), tiny_task.parameters.buffer.clone()

    def run(client: int) -> list[float]:
        (reply,) = replies(federation.engine.run(_plan(Task(1, client, 0.01, 2)), tiny_task.start))
        update = unpack_answer(reply.message).update
        sends = training.registry[name].sends
        assert (update.gradients is not None, update.point is not None) == (sends == "scalars", sends == "weights")
        assert update.examples == 4 and update.nonfinite == 0
        values = update.point if update.gradients is None else update.gradients.flatten()
        assert values is not None
        return list(values.tolist())

    assert run(0) == run(0) != run(1)
    assert torch.equal(tiny_task.start, start) and torch.equal(tiny_task.parameters.buffer, buffer)


def _plan(task: Task) -> Plan:
    return Plan(task.round_index, (task,))
