"""Lanes against peft's own forward, one point after the other."""

from typing import Any

import pytest
import torch
from torch import Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions
from fedmezo.data.batches import Batch
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.half_precision import with_half_products
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.scoring import CopyInScorer, LoraBatchedScorer, Request, Scorer, lora_batched, make_scorer
from fedmezo.zeroth_order.scoring.batching import lane_batches
from fedmezo.zeroth_order.scoring.scorer import Total
from tests.example_counts import examples
from tests.models.tiny import (
    FAMILIES,
    SMALL,
    Tuned,
    bits,
    make_batch,
    places,
    tiny_adapter,
    tiny_base,
    tiny_lora,
    tuned,
)

MIXED = ((3, 5), (1, 9), (6, 2))
LONG = ((200, 100), (20, 30), (150, 40))


def untouched(lora: Tuned) -> bool:
    """Return whether no layer computes with something else than its own."""
    return not any({"forward", "down", "up"} & vars(module).keys() for module in lora.model.modules()) and not any(
        type(module).__name__ == "_LaneLinear" for module in lora.model.modules()
    )


def around(lora: Tuned, count: int, mu: float = 0.005) -> tuple[Tensor, list[Lane]]:
    """Return a point with factors of standard deviation 0.05, and lanes: pairs of signs, or one lane."""
    theta = 0.05 * direction(3, 0, lora.parameters.size)
    return theta, CentralDifference().lanes(range(20, 20 + (count + 1) // 2), mu)[:count]


@pytest.mark.covering(1)
@pytest.mark.parametrize("rows", [MIXED, LONG], ids=["short", "long"])
@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("family", FAMILIES)
def test_lanes_are_pefts_own_losses(family: str, count: int, rows: tuple[tuple[int, int], ...]) -> None:
    lora, batch = tiny_adapter("lora", family=family), make_batch(*rows)
    theta, chosen = around(lora, count)
    found = LoraBatchedScorer(lora.model, lora.parameters).losses(theta, chosen, batch)
    wanted = CopyInScorer(lora.model, lora.parameters).losses(theta, chosen, batch)
    assert found == pytest.approx(wanted, abs=1e-5)
    half = count // 2
    for i in range(half):
        g, exact = ((losses[i] - losses[half + i]) / 0.01 for losses in (found, wanted))
        assert g == pytest.approx(exact, rel=0.01, abs=2e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_and_one_sided_lanes(family: str) -> None:
    lora, batch = tiny_adapter("lora", family=family), make_batch(*MIXED)
    theta, _ = around(lora, 1)
    lanes = OneSided().lanes([4, 5, 6], 0.01)
    found = LoraBatchedScorer(lora.model, lora.parameters).losses(theta, lanes, batch)
    assert found == pytest.approx(CopyInScorer(lora.model, lora.parameters).losses(theta, lanes, batch), abs=1e-5)
    assert found[0] == pytest.approx(lora.scorer.loss(theta, batch), abs=1e-5)


@pytest.mark.covering(1)
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_several_clients_share_forwards(family: str, half: bool) -> None:
    """Lanes of different points, directions, lengths and batch sizes, together and by themselves."""
    base = tiny_base(torch.bfloat16 if half else torch.float32, family)
    lora = tuned(attach_adapter(with_half_products(base) if half else base, {"adapter_method": "lora", "r": 4}))
    theta, chosen = around(lora, 2)
    batches = [
        make_batch((3, 5)),
        make_batch((2, 7)),
        make_batch((30, 9)),
        make_batch((4, 4), (2, 6)),
        make_batch((3, 6)),
    ]
    requests = [Request(theta * (1 + 0.1 * i), chosen, batch) for i, batch in enumerate(batches)]
    scorer = LoraBatchedScorer(lora.model, lora.parameters)
    sizes = [len(each.lanes) for each in lane_batches(requests, scorer.most_tokens, always_paired=half)]
    assert sizes == [6, 2, 2]  # three of nearly the same length, the long one, and the one of two examples
    together = scorer.losses_together(requests)
    for request, losses in zip(requests, together, strict=True):
        alone = scorer.losses(*request)
        assert losses == pytest.approx(alone, abs=2e-3 if half else 1e-5)
        g, exact = ((a - b) / 0.01 for a, b in (losses, alone))
        assert g == pytest.approx(exact, rel=0.02 if half else 0.01, abs=2e-2 if half else 2e-4)


@pytest.mark.parametrize("size", [1, 2])
def test_micro_batches_sum_up(size: int) -> None:
    lora, batch = tiny_lora(), make_batch(*MIXED)
    theta, chosen = around(lora, 2)
    whole = LoraBatchedScorer(lora.model, lora.parameters).losses(theta, chosen, batch)
    for kind in (LoraBatchedScorer, CopyInScorer):
        found = kind(lora.model, lora.parameters, micro_batch_size=size).losses(theta, chosen, batch)
        assert found == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"r": 2, "lora_alpha": 32},
        {"use_rslora": True},
        {"freeze_a": True},
        {"rank_pattern": {"q_proj": 2}},
        {"target_modules": "all-linear"},
    ],
    ids=str,
)
def test_ranks_scalings_and_places_are_those_of_the_layers(arguments: dict[str, Any]) -> None:
    lora, batch = tiny_lora(**arguments), make_batch(*MIXED)
    theta, chosen = around(lora, 4)
    found = LoraBatchedScorer(lora.model, lora.parameters).losses(theta, chosen, batch)
    assert found == pytest.approx(CopyInScorer(lora.model, lora.parameters).losses(theta, chosen, batch), abs=1e-5)


@pytest.mark.parametrize("kind", [LoraBatchedScorer, CopyInScorer])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_many_losses_leave_no_trace(dtype: torch.dtype, kind: type[Scorer]) -> None:
    lora, batch = tiny_lora(dtype), make_batch((2, 3))
    scorer = kind(lora.model, lora.parameters)
    before, where = bits(lora.model), places(lora.model)
    theta, chosen = around(lora, 20)
    for _ in range(examples(50, least=10)):
        scorer.losses(theta, chosen, batch)
    assert bits(lora.model) == before and places(lora.model) == where
    assert untouched(lora)


def test_an_error_inside_leaves_no_trace() -> None:
    lora, batch = tiny_lora(), make_batch((2, 3))

    def broken(logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        raise RuntimeError("the criterion fails")

    scorer = LoraBatchedScorer(lora.model, lora.parameters, criterion=broken)
    before = bits(lora.model)
    with pytest.raises(RuntimeError, match="the criterion fails"):
        scorer.losses(*around(lora, 2), batch)
    assert bits(lora.model) == before and untouched(lora)


def test_the_groups_of_a_forward_do_not_matter() -> None:
    """And both signs of a direction are in the same one, as long as two lanes fit."""
    lora, batch = tiny_lora(), make_batch(*MIXED)
    scorer, chosen = LoraBatchedScorer(lora.model, lora.parameters), around(lora, 6)
    whole = scorer.losses(*chosen, batch)
    for most in (1, 60, 130):
        scorer.most_tokens = most
        assert scorer.losses(*chosen, batch) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("method", sorted(SMALL))
def test_the_scorer_is_chosen_by_the_adapter(method: str) -> None:
    adapted = tiny_adapter(method)
    assert isinstance(make_scorer(adapted.model, adapted.parameters, Directions()), LoraBatchedScorer) is (
        method == "lora"
    )


@pytest.mark.parametrize(
    "arguments", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"target_modules": ["embed_tokens"]}]
)
def test_what_is_not_plain_lora_is_swapped(arguments: dict[str, Any]) -> None:
    adapted = tiny_lora(**arguments)
    scorer = make_scorer(adapted.model, adapted.parameters, Directions())
    assert type(scorer) is CopyInScorer
    assert lora_batched.obstacle(adapted.model, adapted.parameters)


def test_micro_batches_of_one_client_never_share_a_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    lora, batch = tiny_lora(), make_batch(*MIXED)
    seen: list[int] = []
    plain = LoraBatchedScorer.totals

    def totals(self: LoraBatchedScorer, batch: Batch, lanes: int = 1) -> list[Total]:
        seen.append(len(batch.labels))
        return plain(self, batch, lanes)

    monkeypatch.setattr(LoraBatchedScorer, "totals", totals)
    LoraBatchedScorer(lora.model, lora.parameters, micro_batch_size=1).losses(*around(lora, 2), batch)
    assert seen == [2, 2, 2]  # both signs of one example
    seen.clear()
    LoraBatchedScorer(lora.model, lora.parameters).losses(*around(lora, 2), batch)
    assert seen == [6]
