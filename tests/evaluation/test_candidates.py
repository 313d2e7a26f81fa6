"""The choice among candidates by mean log-likelihood."""

import pytest
import torch

from fedmezo.evaluation.candidates import likeliest
from fedmezo.models.tokenizers import ByteTokenizer
from tests.models.tiny import Tuned, bits, tiny_lora

PROMPTS = [[5, 6, 7], [9], [1, 2, 3, 4, 5]]
CANDIDATES = [[[8], [7, 9, 9], [3, 3]], [[4, 4]], [[1], [2], [3], [250, 4]]]


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


@torch.inference_mode()
def by_hand(lora: Tuned, prompt: list[int], candidate: list[int]) -> float:
    with lora.scorer.at(lora.point) as model:
        logs = model(input_ids=torch.tensor([prompt + candidate])).logits[0].double().log_softmax(-1)
    return float(logs[len(prompt) - 1 : -1][range(len(candidate)), candidate].mean())


@pytest.mark.parametrize("batch_size", [1, 3, 20])
def test_it_is_the_one_with_the_highest_mean(lora: Tuned, batch_size: int) -> None:
    before = bits(lora.model)
    found = likeliest(lora.scorer, lora.point, PROMPTS, CANDIDATES, batch_size, ByteTokenizer.pad_id)
    means = [[by_hand(lora, prompt, each) for each in own] for prompt, own in zip(PROMPTS, CANDIDATES, strict=True)]
    assert found == [own.index(max(own)) for own in means] and bits(lora.model) == before


def test_of_equals_the_first_is_chosen(lora: Tuned) -> None:
    assert likeliest(lora.scorer, lora.point, [[5]], [[[7], [7]]], 2, ByteTokenizer.pad_id) == [0]
