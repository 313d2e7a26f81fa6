"""Losses from kept states of frozen layers are those of whole forwards."""

from typing import Any

import numpy as np
import pytest
import torch

from fedmezo.data.batches import split_batch
from fedmezo.models.half_precision import with_half_products
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.scoring import CopyInScorer, LoraBatchedScorer, Request, Scorer
from fedmezo.zeroth_order.scoring.trunk import Trunk, make_trunk
from tests.models.tiny import FAMILIES, ROWS, Tuned, bits, make_batch, tiny_adapter, tiny_base, tuned

LAST = {"layers_to_transform": [1]}  # of two layers
LANES = CentralDifference().lanes([4, 5, 6], 0.01)


def of_last_layer(family: str = "tiny-llama", dtype: torch.dtype = torch.float32, **arguments: Any) -> Tuned:
    return tiny_adapter("lora", dtype, family, **LAST, **arguments)


def made(model: torch.nn.Module) -> Trunk:
    trunk = make_trunk(model)
    assert trunk is not None
    return trunk


@pytest.mark.covering(1)
@pytest.mark.parametrize("kind", [LoraBatchedScorer, CopyInScorer])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_whole_forwards(family: str, kind: type[Scorer]) -> None:
    lora, batch = of_last_layer(family), make_batch(*ROWS)
    before = bits(lora.model)
    kept = kind(lora.model, lora.parameters, trunk=made(lora.model))
    whole = kind(lora.model, lora.parameters)
    assert kept.losses(lora.point, LANES, batch) == pytest.approx(whole.losses(lora.point, LANES, batch), abs=1e-5)
    assert kept.loss(lora.point, batch) == pytest.approx(whole.loss(lora.point, batch), abs=1e-5)
    assert bits(lora.model) == before


def test_the_differences_of_half_precision_are_as_exact() -> None:
    lora, batch = of_last_layer(dtype=torch.bfloat16), make_batch(*ROWS)
    with_half_products(lora.model)
    found = LoraBatchedScorer(lora.model, lora.parameters, trunk=made(lora.model)).losses(lora.point, LANES, batch)
    full = of_last_layer()
    exact = CopyInScorer(full.model, full.parameters).losses(lora.point, LANES, batch)
    half = len(LANES) // 2
    slopes = [[(losses[i] - losses[half + i]) / 0.02 for i in range(half)] for losses in (found, exact)]
    assert np.corrcoef(np.array(slopes)).min() > 0.9


def test_layers_of_the_trunk_compute_once_for_an_example() -> None:
    lora, calls = of_last_layer(), [0]
    trunk = made(lora.model)
    trunk.layers[0].register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    scorer, batch = LoraBatchedScorer(lora.model, lora.parameters, trunk=trunk), make_batch(*ROWS)
    scorer.losses(lora.point, LANES, batch)
    passed, before = calls[0], dict(trunk._states)
    scorer.losses(lora.point, LANES, batch)
    assert len(before) == len(ROWS) and all(trunk._states[index] is before[index] for index in before)
    assert calls[0] - passed == passed - len(ROWS)  # only passed on


def test_bits_depend_on_nothing_but_the_example() -> None:
    """Neither on which others it was first scored with, nor on what was forgotten in between."""
    batch, losses = make_batch(*ROWS), []
    alone, *rest = split_batch(batch, 1)
    for most in (1, 1 << 30):
        for first in (alone, batch):
            lora = of_last_layer()
            trunk = Trunk(lora.model, made(lora.model).layers, most_bytes=most)
            scorer = LoraBatchedScorer(lora.model, lora.parameters, trunk=trunk)
            scorer.loss(lora.point, first)
            losses.append(scorer.losses(lora.point, LANES, batch))
            for part in rest if most == 1 else ():
                trunk._states.clear()
                scorer.loss(lora.point, part)
                scorer.loss(lora.point, alone)
                assert trunk._states.keys() == {0}  # the other one had to go
    assert losses[1:] == losses[:1] * 3


def test_clients_that_share_a_forward_have_their_own_states() -> None:
    lora = of_last_layer()
    scorer = LoraBatchedScorer(lora.model, lora.parameters, trunk=made(lora.model))
    scorer.share(2)
    parts = split_batch(make_batch(*ROWS, (3, 5)), 2)
    together = scorer.losses_together([Request(lora.point, LANES, part) for part in parts])
    for found, part in zip(together, parts, strict=True):
        assert found == pytest.approx(
            CopyInScorer(lora.model, lora.parameters).losses(lora.point, LANES, part), abs=1e-5
        )


def needing_more(model: Any) -> torch.nn.Module:
    """Have the last layer add what the first one's attention is given in the same forward."""
    decoder = model.get_base_model().get_decoder()
    first, last = decoder.layers
    seen: list[torch.Tensor] = []
    decoder.register_forward_pre_hook(lambda *_: seen.clear())
    first.self_attn.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["hidden_states"]), with_kwargs=True
    )
    last.register_forward_hook(lambda _, args, output: output + seen[0] if seen else output)
    return model  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: tiny_adapter("lora").model, "the first layer is trained"),
        (lambda: tiny_adapter("prompt").model, "what is trained goes into the model, before its layers"),
        (lambda: tuned(tiny_base().requires_grad_(True)).model, "the first layer is trained"),
        (lambda: of_last_layer(trainable_token_indices=[200]).model, "what is trained comes before the layers"),
        (lambda: needing_more(of_last_layer().model), "layers need more of the layers below them than their output"),
    ],
)
def test_where_there_is_none_it_is_said_why(model: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    assert make_trunk(model()) is None
    assert reason in caplog.text and "train.cache_frozen_layers = True" in caplog.text


def test_a_single_lane_at_the_point() -> None:
    lora, batch = of_last_layer(), make_batch(*ROWS)
    kept = LoraBatchedScorer(lora.model, lora.parameters, trunk=made(lora.model))
    (found,) = kept.losses(lora.point, [Lane(0, 0.0)], batch)
    assert found == pytest.approx(kept.loss(lora.point, batch), abs=1e-6)


def test_all_layers_are_kept_where_only_the_norm_after_them_is_trained() -> None:
    normed, batch = tiny_adapter("ln-tuning", target_modules=["norm"]), make_batch(*ROWS)
    trunk = made(normed.model)
    kept = CopyInScorer(normed.model, normed.parameters, trunk=trunk)
    assert len(trunk.layers) == 2
    assert kept.losses(normed.point, LANES, batch) == pytest.approx(
        normed.scorer.losses(normed.point, LANES, batch), abs=1e-5
    )


def test_gradients_are_those_of_whole_forwards() -> None:
    lora, batch = of_last_layer(), make_batch(*ROWS)
    found = []
    for trunk in (made(lora.model), None):
        scorer = CopyInScorer(lora.model, lora.parameters, trunk=trunk)
        scorer.loss(lora.point, batch)  # evaluated before it is trained
        with scorer.at(lora.point) as model:
            model.train()
            scorer.values(batch).mean().backward()  # type: ignore[no-untyped-call]
            assert model.training
        found.append(torch.cat([p.grad.flatten() for p in lora.model.parameters() if p.grad is not None]))
        model.eval().zero_grad()
    assert found[0].abs().max() > 0 and torch.allclose(found[0], found[1], rtol=1e-3, atol=1e-6)
