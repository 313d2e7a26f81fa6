"""The sums of examples: those of the model's own answers, in whatever batches they are scored."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fedmezo.assembly import LearningTask
from fedmezo.data.batches import Batch
from fedmezo.evaluation.example_sums import ExampleSums
from fedmezo.evaluation.metrics.make import make_metrics
from fedmezo.evaluation.scoring import batch_sums, example_sums
from fedmezo.zeroth_order.scoring import CopyInScorer, token_losses
from tests.models.tiny import ROWS, Tuned, make_batch, tiny_lora

METRICS = make_metrics(["loss", "accuracy", "exact_match"])


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


def scored(task: LearningTask, indices: NDArray[np.int64], batch_size: int, done: list[int]) -> ExampleSums:
    return example_sums(
        task.scorer,
        task.start,
        task.collate,
        indices,
        lambda index: -index * 7 % 5,  # any order of scoring will do
        batch_size,
        METRICS,
        done.append,
    )


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_sums_come_in_the_order_asked_for(tiny_task: LearningTask, batch_size: int) -> None:
    indices = tiny_task.data.partition.union("train")[:7]
    done: list[int] = []
    found = scored(tiny_task, indices, batch_size, done).sums
    assert found.keys() == {"loss", "accuracy"}  # exact matches follow from accuracies
    alone = [tiny_task.scorer.loss(tiny_task.start, tiny_task.collate(indices[i : i + 1])) for i in range(7)]
    assert (found["loss"].values / found["loss"].counts).tolist() == pytest.approx(alone, abs=1e-5)
    for sums in found.values():
        assert sums.counts.tolist() == [tiny_task.data.encoded.num_labels(index) for index in indices]
    assert sum(done) == 7 and max(done) <= batch_size


def test_examples_of_similar_length_are_scored_together(tiny_task: LearningTask) -> None:
    lengths = {index: len(tiny_task.data.encoded.tokens(index)) for index in range(12)}
    batches: list[list[int]] = []

    def collate(indices: NDArray[np.int64]) -> Batch:
        batches.append([lengths[index] for index in indices])
        return tiny_task.collate(indices)

    example_sums(tiny_task.scorer, tiny_task.start, collate, np.arange(12), lengths.__getitem__, 4, METRICS)
    assert [length for batch in batches for length in batch] == sorted(lengths.values())


def test_losses_are_summed_over_the_tokens_of_an_example(lora: Tuned) -> None:
    batch = make_batch(*ROWS)
    with torch.inference_mode(), lora.scorer.at(lora.point) as model:
        losses, rows = token_losses(model, batch)
    found = batch_sums(lora.scorer, lora.point, batch, METRICS)
    wanted = [math.fsum(losses[rows == row].tolist()) for row in range(len(ROWS))]
    assert found["loss"].values.tolist() == pytest.approx(wanted, rel=1e-12)
    assert found["loss"].counts.tolist() == [response for _, response in ROWS]


def test_a_token_is_correct_where_greedy_decoding_gives_it(lora: Tuned) -> None:
    batch = make_batch(*ROWS)
    with torch.inference_mode(), lora.scorer.at(lora.point) as model:
        chosen = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits.argmax(dim=-1)
    wanted = [0, 0, 0]
    for row, (prompt, response) in enumerate(ROWS):
        for position in range(prompt, prompt + response):
            batch.labels[row, position] = chosen[row, position - 1] + (position % 2)
            wanted[row] += 1 - position % 2
    assert batch_sums(lora.scorer, lora.point, batch, METRICS)["accuracy"].values.tolist() == wanted


def test_the_criterion_of_training_takes_no_part(lora: Tuned) -> None:
    batch = make_batch(*ROWS)
    scorer = CopyInScorer(lora.model, lora.parameters, criterion=lambda logits, labels, rows: logits[:, 0] * 0)
    plain, other = (batch_sums(each, lora.point, batch, METRICS)["loss"] for each in (lora.scorer, scorer))
    assert plain.values.tolist() == other.values.tolist()
