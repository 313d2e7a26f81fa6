import pytest
import torch

from fedmezo.models.context_length import token_room
from fedmezo.zeroth_order.scoring import token_losses
from tests.models.tiny import FAMILIES, SMALL, make_batch, tiny_adapter, tiny_base

LEARNT = ("tiny-opt", "tiny-gpt2")


@pytest.mark.parametrize("family", FAMILIES)
def test_only_learnt_positions_end(family: str) -> None:
    assert token_room(tiny_base(family=family)) == (2048 if family in LEARNT else None)


@pytest.mark.covering(1)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", SMALL)
def test_virtual_tokens_take_positions(method: str, family: str) -> None:
    virtual = SMALL[method].get("num_virtual_tokens", 0)
    room = token_room(tiny_adapter(method, family=family).model)
    assert room == (2048 - virtual if family in LEARNT else None)


def test_an_adapted_embedding_is_no_table_of_positions() -> None:
    assert token_room(tiny_adapter("lora", target_modules=["embed_tokens"]).model) is None


@pytest.mark.parametrize("family", LEARNT)
@pytest.mark.parametrize("method", SMALL)
def test_the_room_is_there_and_no_more(method: str, family: str) -> None:
    model = tiny_adapter(method, family=family).model.eval()
    room = token_room(model)
    assert room is not None
    with torch.inference_mode():
        assert token_losses(model, make_batch((room - 1, 1)))[0].isfinite().all()
        with pytest.raises(IndexError):
            token_losses(model, make_batch((room, 1)))
