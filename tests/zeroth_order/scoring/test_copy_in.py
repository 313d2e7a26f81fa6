from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import log_softmax

from fedmezo.evaluation.metrics.loss import Loss
from fedmezo.evaluation.scoring import batch_sums
from fedmezo.zeroth_order.scoring import CopyInScorer, token_losses
from tests.models.tiny import ROWS, Tuned, bits, make_batch, places, tiny_lora

SIZES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


def losses_by_hand(lora: Tuned, rows: tuple[tuple[int, int], ...]) -> list[list[float]]:
    """Return the cross-entropy of every response token, each example on its own and without padding."""
    batch, found = make_batch(*rows), []
    with torch.inference_mode(), lora.scorer.at(lora.point) as model:
        for row, (prompt, response) in enumerate(rows):
            tokens = batch.input_ids[row, : prompt + response]
            scores = log_softmax(model(input_ids=tokens[None]).logits[0].double(), dim=-1)
            found.append([-scores[i - 1, tokens[i]].item() for i in range(prompt, prompt + response)])
    return found


@pytest.mark.parametrize("row", ROWS)
def test_the_loss_of_an_example_is_transformers_own(lora: Tuned, row: tuple[int, int]) -> None:
    batch = make_batch(row)
    with torch.inference_mode(), lora.scorer.at(lora.point) as model:
        own = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).loss
    assert lora.scorer.loss(lora.point, batch) == pytest.approx(own.item(), abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(SIZES)
def test_the_loss_of_a_batch_is_the_mean_over_its_tokens(lora: Tuned, sizes: list[tuple[int, int]]) -> None:
    rows = tuple(sizes)
    by_hand = losses_by_hand(lora, rows)
    tokens = [loss for row in by_hand for loss in row]
    assert lora.scorer.loss(lora.point, make_batch(*rows)) == pytest.approx(sum(tokens) / len(tokens), abs=1e-5)


def test_token_losses_come_in_row_order(lora: Tuned) -> None:
    with torch.inference_mode(), lora.scorer.at(lora.point) as model:
        losses, rows = token_losses(model, make_batch(*ROWS))
    assert rows.tolist() == [0] * 5 + [1] * 9 + [2] * 2
    assert losses.tolist() == pytest.approx([loss for row in losses_by_hand(lora, ROWS) for loss in row], abs=1e-5)


def test_another_criterion_is_averaged_over_its_own_values(lora: Tuned) -> None:
    def first_rows(logits: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        assert logits.shape == (16, lora.model.config.vocab_size) and logits.dtype == torch.float32
        assert rows.tolist() == [0] * 5 + [1] * 9 + [2] * 2
        return torch.tensor([1.0, 2.0, 6.0])

    batch = make_batch(*ROWS)
    scorer = CopyInScorer(lora.model, lora.parameters, criterion=first_rows)
    assert scorer.loss(lora.point, batch) == 3.0


def test_what_stands_on_padding_does_not_matter(lora: Tuned) -> None:
    batch = make_batch(*ROWS)
    before = lora.scorer.loss(lora.point, batch)
    assert (batch.attention_mask == 0).sum() == 2 + 2
    batch.input_ids[batch.attention_mask == 0] = 7
    assert lora.scorer.loss(lora.point, batch) == before


def test_the_loss_is_that_of_the_point_and_not_of_the_resident_parameters(lora: Tuned) -> None:
    batch = make_batch(*ROWS)
    resident = lora.parameters.buffer.clone()
    at_point, at_resident = lora.scorer.loss(lora.point, batch), lora.scorer.loss(resident, batch)
    assert at_point != at_resident
    lora.parameters.buffer.copy_(lora.point)
    assert lora.scorer.loss(resident, batch) == at_resident
    assert lora.scorer.loss(lora.point, batch) == at_point
    lora.parameters.buffer.copy_(resident)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scoring_leaves_no_trace(dtype: torch.dtype) -> None:
    lora, batch = tiny_lora(dtype), make_batch(*ROWS)
    values, objects = bits(lora.model), places(lora.model)
    for step in range(25):
        for sign in (1.0, -1.0):
            lora.scorer.loss(lora.point * (1.0 + sign * 0.01 * step), batch)
    batch_sums(lora.scorer, torch.full_like(lora.point, torch.nan), batch, [Loss()])
    assert bits(lora.model) == values
    assert places(lora.model) == objects
    assert all(parameter.grad is None for parameter in lora.model.parameters())


def test_scoring_that_fails_half_way_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    lora = tiny_lora()
    values, objects = bits(lora.model), places(lora.model)
    seen: list[bool] = []

    def fail(*args: Any, **kwargs: Any) -> None:
        seen.append(bits(lora.model) == values)
        raise MemoryError("in the middle")

    monkeypatch.setattr(lora.model.get_output_embeddings(), "forward", fail)
    with pytest.raises(MemoryError, match="in the middle"):
        lora.scorer.loss(lora.point, make_batch(*ROWS))
    with pytest.raises(MemoryError, match="in the middle"):
        batch_sums(lora.scorer, lora.point, make_batch(*ROWS), [Loss()])
    assert seen == [False, False]  # it did fail while the model stood elsewhere
    assert bits(lora.model) == values
    assert places(lora.model) == objects


def test_dropout_never_acts() -> None:
    plain, dropping = tiny_lora(), tiny_lora(lora_dropout=0.5)
    batch = make_batch(*ROWS)
    losses = {scored.scorer.loss(plain.point, batch) for scored in (plain, dropping, dropping)}
    assert len(losses) == 1
    assert not any(module.training for module in dropping.model.modules())
    dropping.model.train()
    with dropping.scorer.at(plain.point) as model, torch.inference_mode():
        drawn = token_losses(model, batch)[0].double().mean().item()
    assert {drawn} != losses  # the dropout was there to act
