"""Scoring on every family, with every way of training a model."""

import pytest
import torch

from fedmezo.zeroth_order.scoring import token_losses
from tests.models.tiny import FAMILIES, ROWS, SMALL, Tuned, bits, make_batch, places, tiny_adapter, tiny_base, tuned

ALL = "all parameters"
LONG = ((3, 40), (90, 9), (60, 70))  # beyond the short sliding window
DTYPES = {torch.float32: 1e-5, torch.bfloat16: 0.1, torch.float16: 0.01}  # how far rounding may move a token's loss


def trained(method: str, family: str) -> Tuned:
    if method == ALL:
        return tuned(tiny_base(family=family).requires_grad_(True))
    return tiny_adapter(method, family=family)


@pytest.mark.covering(1)
@pytest.mark.parametrize("rows", [ROWS, LONG])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", [*SMALL, ALL])
def test_padded_rows_have_the_losses_of_rows_alone(method: str, family: str, rows: tuple[tuple[int, int], ...]) -> None:
    model = trained(method, family)
    with torch.inference_mode(), model.scorer.at(model.point) as at_point:
        padded, _ = token_losses(at_point, make_batch(*rows))
        alone = [token_losses(at_point, make_batch(row, first=i))[0] for i, row in enumerate(rows)]
    assert padded.tolist() == pytest.approx(torch.cat(alone).tolist(), abs=1e-4)


@pytest.mark.covering(1)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", [*SMALL, ALL])
def test_losses_of_the_kept_positions_are_those_of_all(method: str, family: str) -> None:
    model, batch = trained(method, family), make_batch(*ROWS)
    with torch.inference_mode(), model.scorer.at(model.point) as at_point:
        own = at_point(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
    positions = own[:, -batch.input_ids.shape[1] :]  # prompts put virtual tokens before them
    scores = positions[:, :-1].double().log_softmax(-1).gather(-1, batch.input_ids[:, 1:, None])[..., 0]
    wanted = -scores[batch.labels[:, 1:] >= 0].mean().item()
    assert model.scorer.loss(model.point, batch) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.covering(1)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", SMALL)
def test_half_precision_is_near_and_leaves_no_trace(method: str, family: str, dtype: torch.dtype) -> None:
    full, model, batch = tiny_adapter(method, family=family), tiny_adapter(method, dtype, family), make_batch(*ROWS)
    assert torch.equal(full.point, model.point)  # the trained parameters stay fp32, and are the same
    values, objects = bits(model.model), places(model.model)
    loss = model.scorer.loss(model.point, batch)
    assert loss == pytest.approx(full.scorer.loss(full.point, batch), abs=DTYPES[dtype])
    assert bits(model.model) == values and places(model.model) == objects
