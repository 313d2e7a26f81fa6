"""What a model says, in parts, against its own logits."""

import weakref

import pytest
import torch
from torch import Tensor

from fedmezo.criteria import tokenwise
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import IGNORED
from fedmezo.zeroth_order.scoring import CopyInScorer
from fedmezo.zeroth_order.scoring.response_logits import Reader, Responses
from tests.models.tiny import FAMILIES, make_batch, tiny_adapter, tiny_base

ROWS = ((3, 5), (1, 9), (6, 2))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parts_are_the_models_own_logits(family: str) -> None:
    """Soft-capping and scaling, which are done behind the head, hold."""
    model, batch = tiny_base(family=family).eval(), make_batch(*ROWS)
    model.config.final_logit_softcapping = 0.05 if family == "tiny-gemma" else None
    with torch.inference_mode():
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        shifted = batch.labels[:, 1:] != IGNORED
        wanted, vocabulary = logits[:, :-1][shifted], logits.shape[-1]
        for most in (1, 3 * vocabulary, 10**9):
            parts = [part for (part,) in Reader(model).parts(batch, most=most)]
            found = Responses(*map(torch.cat, zip(*parts, strict=True)))
            torch.testing.assert_close(found.logits, wanted, rtol=0, atol=1e-5)
            assert torch.equal(found.labels, batch.labels[:, 1:][shifted])
            assert found.rows.tolist() == [0] * 5 + [1] * 9 + [2] * 2
        sizes = [len(part.labels) for (part,) in Reader(model).parts(batch, most=3 * vocabulary)]
    assert sizes == [3, 3, 3, 3, 3, 1]
    assert family != "tiny-gemma" or wanted.abs().max() <= 0.05


def test_lanes_may_have_responses_of_different_lengths() -> None:
    model, batch = tiny_base().eval(), make_batch((3, 5), (6, 2))
    with torch.inference_mode():
        parts = zip(*Reader(model).parts(batch, lanes=2, most=1), strict=True)
        one, other = (Responses(*map(torch.cat, zip(*lane, strict=True))) for lane in parts)
        alone = [Reader(model).whole(make_batch(row, first=i))[0] for i, row in enumerate([(3, 5), (6, 2)])]
    for found, wanted in zip((one, other), alone, strict=True):
        torch.testing.assert_close(found.logits, wanted.logits, rtol=0, atol=1e-5)
        assert torch.equal(found.labels, wanted.labels) and not found.rows.any()


def test_only_a_criterion_of_single_tokens_is_asked_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def longest(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        seen.append(len(labels))
        return cross_entropy(logits, labels, rows)

    lora, batch = tiny_adapter("lora"), make_batch(*ROWS)
    monkeypatch.setattr(CopyInScorer, "most_logits", 1)
    whole = CopyInScorer(lora.model, lora.parameters, criterion=longest).loss(lora.point, batch)
    assert seen == [16]
    monkeypatch.setattr(longest, "tokenwise", True, raising=False)
    parts = CopyInScorer(lora.model, lora.parameters, criterion=longest).loss(lora.point, batch)
    assert seen == [16] + [1] * 16 and parts == pytest.approx(whole, abs=1e-6)


def test_a_model_that_fails_keeps_its_own_forward_passes() -> None:
    model = tiny_base()
    with pytest.raises(IndexError):
        batch = make_batch(*ROWS)
        batch.input_ids.fill_(10**6)
        Reader(model).whole(batch)
    assert not any("forward" in vars(module) or module._forward_hooks for module in model.modules())


def test_logits_are_in_memory_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[int] = []
    seen: list[weakref.ref[Tensor]] = []

    @tokenwise
    def noting(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        seen.append(weakref.ref(logits))
        alive.append(sum(each() is not None for each in seen))
        return cross_entropy(logits, labels, rows)

    lora = tiny_adapter("lora")
    monkeypatch.setattr(CopyInScorer, "most_logits", 1)
    CopyInScorer(lora.model, lora.parameters, criterion=noting).loss(lora.point, make_batch(*ROWS))
    assert len(alive) == 16 and max(alive) <= 2  # the last one, while the next is there
