"""What clients are made of; with ``engine.lanes`` they share forward passes, and learn what they learn alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_federation, assemble_learning_task
from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.messages import Task
from fedmezo.ledger.records import RoundRecord
from fedmezo.zeroth_order.scoring import LoraBatchedScorer

Write = Callable[..., Path]


def a_round(tiny_yaml: Write, *overrides: str, **sections: Any) -> RoundRecord:
    cfg = config.load(tiny_yaml(**sections), ["use_gpu", "False", *overrides])
    federation = assemble_federation(cfg, assemble_learning_task(cfg))
    server = federation.server
    return server.aggregate(server.plan(0), federation.engine.run(server.plan(0), server.parameters))


def gradients(record: RoundRecord) -> np.ndarray:
    return np.array([client.gradients for client in record.clients])


@pytest.mark.parametrize("lanes", ["2", "3", "auto"])
def test_a_round_of_clients_together(tiny_yaml: Write, lanes: str) -> None:
    alone, together = a_round(tiny_yaml), a_round(tiny_yaml, "engine.lanes", lanes)
    assert [client.client for client in together.clients] == [client.client for client in alone.clients]
    np.testing.assert_allclose(gradients(together), gradients(alone), rtol=0.01, atol=1e-3)
    for one, other in zip(together.clients, alone.clients, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, abs=1e-5)


def test_what_cannot_share_forwards_is_trained_alone(tiny_yaml: Write) -> None:
    whole = {"tok_len": 420, "adapter": {"use": False}}
    alone, asked = a_round(tiny_yaml, llm=whole), a_round(tiny_yaml, "engine.lanes", "3", llm=whole)
    assert gradients(asked).tobytes() == gradients(alone).tobytes()
    backprop = ("trainer.type", "llmtrainer")
    first, second = a_round(tiny_yaml, *backprop), a_round(tiny_yaml, *backprop, "engine.lanes", "3")
    assert [c.train_loss for c in first.clients] == [c.train_loss for c in second.clients]


def test_micro_batches_change_nothing_but_memory(tiny_yaml: Write) -> None:
    whole = a_round(tiny_yaml, "dataloader.batch_size", "4")
    parts = a_round(tiny_yaml, "dataloader.batch_size", "4", "dataloader.micro_batch_size", "1")
    np.testing.assert_allclose(gradients(parts), gradients(whole), rtol=0.01, atol=1e-3)


def test_clients_who_move_the_only_point_work_one_after_the_other(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml(llm={"tok_len": 420, "adapter": {"use": False}}), ["use_gpu", "False"])
    executor = assemble_federation(cfg, learning_task := assemble_learning_task(cfg)).executor
    before = learning_task.start.clone()
    tasks = [Task(0, client, 0.01, 2) for client in range(3)]
    together = replace(executor, lanes=3).together(tasks, learning_task.start)
    assert torch.equal(learning_task.start, before)
    for result, task in zip(together, tasks, strict=True):
        assert bytes(result.message) == bytes(executor(task, learning_task.start).message)


def test_a_key_that_the_trainer_does_not_take_is_refused(tiny_yaml: Write, tiny_task: LearningTask) -> None:
    cfg = config.load(tiny_yaml(trainer={"type": "mezotrainer", "pace": 3}))
    with pytest.raises(ConfigurationError, match=r"^trainer\.pace = 3\n    mezotrainer takes no pace"):
        assemble_federation(cfg, tiny_task)


def test_a_scorer_that_serves_two_federations_holds_the_lanes_of_one(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml(), ["use_gpu", "False", "engine.lanes", "2"])
    task = assemble_learning_task(cfg)
    assert isinstance(task.scorer, LoraBatchedScorer)
    alone = task.scorer.most_tokens
    assert [assemble_federation(cfg, task).executor.lanes for _ in range(2)] == [2, 2]
    assert task.scorer.most_tokens == 2 * alone
