"""Keys, batches by position, and the independence of clients from one another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.assembly import LearningTask
from fedmezo.data.client_batches import LocalData
from fedmezo.zeroth_order.replay import DirectionKeys


@given(t=st.integers(0, 1000), client=st.integers(0, 1000), steps=st.integers(1, 5), queries=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_keys_are_distinct_and_shared_ones_forget_the_client(t: int, client: int, steps: int, queries: int) -> None:
    private = DirectionKeys(3, queries)(t, client, steps)
    flat = [key for step in private for key in step]
    assert len(set(flat)) == steps * queries
    assert not set(flat) & {key for step in DirectionKeys(3, queries)(t, client + 1, steps) for key in step}
    shared = DirectionKeys(3, queries, shared=True)
    assert shared(t, client, steps) == shared(t, client + 1, steps) != private
    assert private[:1] == DirectionKeys(3, queries)(t, client, 1)


def local_data(task: LearningTask, **changes: object) -> LocalData:
    values = {
        "examples": [client.train for client in task.data.partition.clients],
        "collate": task.collate,
        "seed": 0,
        "batch_size": 3,
        "shuffle": True,
        "local_steps": 2,
        "by_epoch": False,
    }
    return LocalData(**values | changes)  # type: ignore[arg-type]


def test_batches_walk_through_every_epoch(tiny_task: LearningTask) -> None:
    data = local_data(tiny_task)
    own = data.examples[1]
    seen = np.concatenate([data.batch(1, index).indices for index in range(len(own))])
    for epoch in range(3):
        part = seen[epoch * len(own) : (epoch + 1) * len(own)]
        assert sorted(part.tolist()) == sorted(own.tolist())


def test_an_epoch_takes_as_many_steps_as_it_needs(tiny_task: LearningTask) -> None:
    data = local_data(tiny_task, by_epoch=True, local_steps=2, batch_size=5)
    assert data.steps(0) == 2 * -(-len(data.examples[0]) // 5)
    assert local_data(tiny_task).steps(0) == 2


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 8])
def test_what_a_prefix_can_have_trained_on(tiny_task: LearningTask, steps: int) -> None:
    data = local_data(tiny_task, by_epoch=True, short=True, batch_size=5, examples=[np.arange(17)])
    assert data.most_examples(0, steps) == sum([5, 5, 5, 2, 5, 5, 5, 2][:steps])
    assert replace(data, attempts=3).most_examples(0, steps) == 5 * steps  # instead of a short batch, the next
    assert replace(data, short=False).most_examples(0, steps) == 5 * steps


def test_batches_are_right_padded_tensors_of_the_clients_own(tiny_task: LearningTask) -> None:
    batch = local_data(tiny_task).batch(2, 0)
    assert set(batch.indices.tolist()) <= set(local_data(tiny_task).examples[2].tolist())
    assert batch.labels.shape == batch.input_ids.shape == batch.attention_mask.shape
    assert torch.equal(batch.labels[batch.labels >= 0], batch.input_ids[batch.labels >= 0])
