"""Half-precision products: pairs share their rounding, so that their difference survives."""

import pytest
import torch

from fedmezo.core.directions import direction
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.half_precision import Pairing, join, pairing_of, with_half_products
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.scoring import CopyInScorer, LoraBatchedScorer
from tests.models.tiny import FAMILIES, SMALL, Tuned, make_batch, tiny_base, tuned

MU = 1e-3
CENTRAL = CentralDifference()
BATCH = make_batch((3, 5), (1, 9), (6, 2))


def lora(family: str, *, half: bool) -> Tuned:
    """Return a model of bf16 weights with an adapter: with half-precision products, or the same weights in fp32."""
    base = tiny_base(torch.bfloat16, family)
    base = with_half_products(base) if half else base.float()
    return tuned(attach_adapter(base, {"adapter_method": "lora", **SMALL["lora"]}))


@pytest.mark.parametrize("family", FAMILIES)
def test_projected_gradients_are_those_of_full_precision(family: str) -> None:
    exact, halved = lora(family, half=False), lora(family, half=True)
    theta = 0.05 * direction(3, 0, exact.parameters.size)
    rows = []
    for key in range(30):
        lanes = CENTRAL.lanes([100 + key], MU)
        rows.append(
            [
                float(above - below) / (2 * MU)
                for above, below in (
                    LoraBatchedScorer(exact.model, exact.parameters).losses(theta, lanes, BATCH),
                    LoraBatchedScorer(halved.model, halved.parameters).losses(theta, lanes, BATCH),
                    CopyInScorer(halved.model, halved.parameters).losses(theta, lanes, BATCH),
                )
            ]
        )
    wanted, paired, alone = torch.tensor(rows).T
    assert torch.corrcoef(torch.stack([wanted, paired]))[0, 1] > 0.999
    assert (paired - wanted).std() < 0.2 * (alone - wanted).std()


def test_a_pair_is_split_and_joined() -> None:
    pairing = Pairing()
    x = direction(1, 0, 240).view(4, 6, 10)
    x[2:] = x[:2] + 1e-4 * direction(2, 0, 120).view(2, 6, 10)
    with pairing.on():
        both = pairing.split(x, torch.bfloat16)
        assert pairing.split(x, torch.bfloat16) is both
        assert pairing.split(x.clone(), torch.bfloat16) is not both
    assert both.dtype == torch.bfloat16 and both.shape == (2, 2, 6, 10)
    found = join(both)
    torch.testing.assert_close(found, x, rtol=2**-8, atol=1e-6)
    torch.testing.assert_close(found[2:] - found[:2], x[2:] - x[:2], rtol=2**-7, atol=1e-6)


def test_activations_are_fp32_and_large_weights_half() -> None:
    halved = lora("tiny-gpt2", half=True)
    assert pairing_of(halved.model) is not None and pairing_of(lora("tiny-gpt2", half=False).model) is None
    logits = halved.model(input_ids=BATCH.input_ids, attention_mask=BATCH.attention_mask).logits
    assert logits.dtype == torch.float32
    frozen = {p.dtype for p in halved.model.parameters() if p.ndim > 1 and not p.requires_grad}
    assert frozen == {torch.bfloat16}
    assert {p.dtype for p in halved.model.parameters() if p.ndim == 1} == {torch.float32}


def test_backpropagation_goes_through() -> None:
    halved = lora("tiny-llama", half=True)
    halved.parameters.write(halved.point)
    values = halved.scorer.values(BATCH)
    values.mean().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in halved.model.parameters() if p.requires_grad)
