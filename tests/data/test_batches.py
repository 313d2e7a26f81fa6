import numpy as np
import torch

from fedmezo.data.batches import collate, split_batch
from fedmezo.data.encoding import EncodedExamples

ENCODED = EncodedExamples(
    flat=np.array([1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=np.int32),
    offsets=np.array([0, 3, 5, 9], dtype=np.int64),
    prompt_lengths=np.array([2, 1, 1], dtype=np.int32),
    whole_lengths=np.array([3, 2, 4], dtype=np.int32),
)


def test_rows_are_padded_and_labels_masked() -> None:
    batch = collate(ENCODED, np.array([2, 0]), 0)
    assert batch.input_ids.tolist() == [[6, 7, 8, 9], [1, 2, 3, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch.labels.tolist() == [[-100, 7, 8, 9], [-100, -100, 3, -100]]
    assert batch.indices.tolist() == [2, 0]


def test_tensors_are_int64() -> None:
    batch = collate(ENCODED, np.array([1]), 0)
    assert {batch.input_ids.dtype, batch.attention_mask.dtype, batch.labels.dtype} == {torch.int64}
    assert batch.input_ids.shape == (1, 2)


def test_a_padding_token_inside_a_text_is_attended_to_and_learnt() -> None:
    batch = collate(ENCODED, np.array([0, 1]), 3)
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.labels.tolist() == [[-100, -100, 3], [-100, 5, -100]]


def test_every_example_has_as_many_labels_as_counted() -> None:
    batch = collate(ENCODED, np.arange(3), 0)
    assert (batch.labels != -100).sum(dim=1).tolist() == [ENCODED.num_labels(index) for index in range(3)]


def test_a_batch_is_split_without_padding_that_its_parts_do_not_need() -> None:
    whole = collate(ENCODED, np.array([1, 0, 2]), 0)
    first, last = split_batch(whole, 2)
    assert first.input_ids.tolist() == [[4, 5, 0], [1, 2, 3]] and last.input_ids.tolist() == [[6, 7, 8, 9]]
    assert first.labels.tolist() == [[-100, 5, -100], [-100, -100, 3]]
    assert (first.indices.tolist(), last.indices.tolist()) == ([1, 0], [2])
    assert split_batch(whole, 3) == [whole]
