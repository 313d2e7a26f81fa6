"""All parameters perturbed as they are read, against the same points copied into the model."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BloomConfig, MptConfig, PreTrainedConfig

from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions, Part
from fedmezo.data.batches import Batch
from fedmezo.evaluation.metrics.loss import Loss
from fedmezo.evaluation.scoring import batch_sums
from fedmezo.models.half_precision import Pairing, perturbed_product, with_half_products
from fedmezo.zeroth_order.estimators import Estimator, Lane
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.replay import MovingPrefix, Prefix, Replay, Steps
from fedmezo.zeroth_order.scoring import CopyInScorer, LayerwiseScorer, Request, layerwise, make_scorer
from fedmezo.zeroth_order.scoring.backup import backed_up
from tests.example_counts import examples
from tests.models.tiny import FAMILIES, Tuned, bits, make_batch, places, tiny_base, tiny_lora, tuned

PAIRS = CentralDifference().lanes([3, 4], 1e-2)
LANES = [Lane(3, 1e-2), Lane(4, -1e-2), *OneSided().lanes([3], 1e-2)]  # none mirrors another
BATCH = make_batch((3, 5), (1, 9), (6, 2))


def whole(family: str = "tiny-llama") -> Tuned:
    return tuned(tiny_base(family=family).requires_grad_(True))


def halves(family: str = "tiny-llama") -> tuple[Tuned, Tuned]:
    """Return a model trained as a whole in half precision, and one of the same weights in fp32."""
    half = tuned(with_half_products(tiny_base(torch.bfloat16, family), whole=True).requires_grad_(True))
    assert half.parameters.buffer.dtype == torch.bfloat16
    return half, tuned(tiny_base(torch.bfloat16, family).float().requires_grad_(True))


@pytest.mark.covering(2)
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("batch", [BATCH, make_batch((3, 5))], ids=["3 examples", "1 example"])
@pytest.mark.parametrize("lanes", [PAIRS, LANES], ids=["both signs", "single lanes"])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_points(
    family: str, lanes: list[Lane], batch: Batch, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both signs of a direction in one forward, or lanes by themselves; the head in one part, or in several."""
    model = whole(family)
    directions = Directions(distribution)
    wanted = CopyInScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, lanes, batch)
    for elements in (1 << 22, 64 * 20):
        monkeypatch.setattr(layerwise, "MOST_ELEMENTS", elements)
        found = LayerwiseScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, lanes, batch)
        assert found == pytest.approx(wanted, abs=1e-6)


def test_scales_of_parts_act() -> None:
    model = whole()
    half = model.parameters.size // 2
    directions = Directions("gaussian", (Part(0, half, 0.1), Part(half, model.parameters.size, 3.0)))
    found = LayerwiseScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, LANES, BATCH)
    wanted = CopyInScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, LANES, BATCH)
    assert found == pytest.approx(wanted, abs=1e-6)
    plain = LayerwiseScorer(model.model, model.parameters).losses(model.parameters.buffer, LANES, BATCH)
    assert max(abs(a - b) for a, b in zip(found, plain, strict=True)) > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_many_losses_leave_no_trace(family: str) -> None:
    model, batch = whole(family), make_batch((2, 3))
    scorer = LayerwiseScorer(model.model, model.parameters)
    before, where = bits(model.model), places(model.model)
    for _ in range(examples(25, least=2)):
        scorer.losses(model.parameters.buffer, CentralDifference().lanes(range(20), 1e-2), batch)
    assert bits(model.model) == before and places(model.model) == where
    assert untouched(model.model)


@pytest.mark.covering(1)
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_keeps_the_signal(family: str, distribution: str) -> None:
    """Both signs in one forward: projected gradients are those of fp32. A lane alone: so is its loss, to the bit."""
    half, full = halves(family)
    rows = []
    for model in (half, full):
        scorer = LayerwiseScorer(model.model, model.parameters, Directions(distribution))
        assert scorer.shares_rounding is (model is half)
        pairs = [
            scorer.losses(model.parameters.buffer, CentralDifference().lanes([k], 1e-3), BATCH)
            for k in range(examples(30, least=12))
        ]
        alone = scorer.losses(model.parameters.buffer, OneSided().lanes([3, 4], 1e-3), BATCH)
        rows.append(([above - below for above, below in pairs], [above for above, _ in pairs], alone))
    (found, losses, single), (wanted, exact, exact_single) = rows
    assert torch.corrcoef(torch.tensor([found, wanted]))[0, 1] > 0.999
    assert losses == pytest.approx(exact, abs=5e-3) and single == exact_single


def test_a_perturbed_product_is_that_of_both_points_to_second_order() -> None:
    weight, z = (direction(key, 0, 24 * 16).view(24, 16).bfloat16() for key in (1, 2))
    x = direction(3, 0, 2 * 3 * 5 * 16).view(6, 5, 16)
    x[3:] = x[:3] + 1e-3 * direction(4, 0, 3 * 5 * 16).view(3, 5, 16)
    found = perturbed_product(x, weight, z, 1e-3, Pairing()).double()
    above, below = (x[rows].double() for rows in (slice(3), slice(3, 6)))
    wanted_above, wanted_below = above @ (weight + 1e-3 * z.double()).T, below @ (weight - 1e-3 * z.double()).T
    torch.testing.assert_close(found, torch.cat([wanted_above, wanted_below]), rtol=2**-7, atol=2**-5)
    torch.testing.assert_close(found[:3] - found[3:], wanted_above - wanted_below, rtol=2**-6, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_many_losses_in_half_precision_leave_no_trace(family: str) -> None:
    model, batch = halves(family)[0], make_batch((2, 3))
    scorer = LayerwiseScorer(model.model, model.parameters)
    before, where = bits(model.model), places(model.model)
    estimators: list[Estimator] = [*[CentralDifference()] * examples(10, least=2), OneSided()]
    for estimator in estimators:
        scorer.losses(model.parameters.buffer, estimator.lanes(range(20), 1e-2), batch)
        batch_sums(scorer, model.parameters.buffer, batch, [Loss()])
    assert bits(model.model) == before and places(model.model) == where
    assert not any("forward" in vars(module) for module in model.model.modules())
    assert {parameter.dtype for parameter in model.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("family", ["tiny-llama", "tiny-phi"])
def test_an_error_in_half_precision_leaves_no_trace(
    family: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = halves(family)[0]
    scorer, before, where = LayerwiseScorer(model.model, model.parameters), bits(model.model), places(model.model)

    def broken(*_: object, **__: object) -> Tensor:
        raise error("in the middle")

    def scored() -> None:
        for lanes in (PAIRS, LANES):
            with pytest.raises(error, match="in the middle"):
                scorer.losses(model.parameters.buffer, lanes, BATCH)
        with pytest.raises(error, match="in the middle"):
            batch_sums(scorer, model.parameters.buffer, BATCH, [Loss()])

    norm = next(module for module in model.model.modules() if "Norm" in type(module).__name__)
    for owner, name in ((nn.functional, "linear"), (type(norm).__bases__[0], "forward")):  # the second sees fp32 copies
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, broken)
            scored()
    assert bits(model.model) == before and places(model.model) == where


def test_what_has_other_rows_than_examples_goes_one_sign_after_the_other() -> None:
    """OPT puts all tokens of all examples in one dimension."""
    half, full = halves("tiny-opt")
    scorer = LayerwiseScorer(half.model, half.parameters)
    found = scorer.losses(half.parameters.buffer, PAIRS, BATCH)
    assert found == LayerwiseScorer(full.model, full.parameters).losses(full.parameters.buffer, PAIRS, BATCH)
    assert not scorer._both_signs


def test_an_error_inside_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    model = whole()
    scorer, before, where = LayerwiseScorer(model.model, model.parameters), bits(model.model), places(model.model)

    def broken(*_: object) -> Tensor:
        assert places(model.model) != where  # a layer computes with copies at this moment
        raise RuntimeError("a layer fails")

    monkeypatch.setattr(nn.functional, "silu", broken)
    with pytest.raises(RuntimeError, match="a layer fails"):
        scorer.losses(model.parameters.buffer, LANES, BATCH)
    assert bits(model.model) == before and places(model.model) == where and untouched(model.model)


def untouched(model: nn.Module) -> bool:
    return not any(
        "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks for module in model.modules()
    )


def test_it_is_chosen_where_all_parameters_are_trained() -> None:
    model, lora = whole(), tiny_lora()
    assert type(make_scorer(model.model, model.parameters, Directions(), movable=True)) is LayerwiseScorer
    assert type(make_scorer(model.model, model.parameters, Directions())) is CopyInScorer
    assert layerwise.obstacle(lora.model, lora.parameters) == "an adapter is trained"
    model.model.get_input_embeddings().weight.requires_grad_(False)
    partly = tuned(model.model)
    assert layerwise.obstacle(partly.model, partly.parameters) == "some parameters are not trained"


def test_together_means_one_after_the_other() -> None:
    model = whole()
    scorer, point = LayerwiseScorer(model.model, model.parameters), model.parameters.buffer
    requests = [Request(point, LANES, BATCH), Request(point, LANES[:1], make_batch((2, 2)))]
    assert scorer.losses_together(requests) == [scorer.losses(*request) for request in requests]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_kept_vector_comes_back_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("fedmezo.zeroth_order.scoring.backup.CHUNK", 1000)
    vector = direction(1, 0, 4321).to(dtype)
    before = vector.clone()
    with pytest.raises(RuntimeError, match="in the middle"), backed_up(vector, tmp_path / "new"):
        vector.mul_(torch.nan)
        raise RuntimeError("in the middle")
    assert torch.equal(vector, before)
    assert list((tmp_path / "new").iterdir()) == []  # the file has no name


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_clients_point_is_the_replay_of_its_prefix_over_200_steps(weight_decay: float) -> None:
    """In place: the textbook's arithmetic, in numpy. Otherwise: that of the server, for each prefix."""
    size, rate = 500, 0.05
    replay = Replay(((0, 200, True), (200, size, False)), weight_decay, Directions())
    gradients = direction(77, 0, 200).numpy()[:, None]
    keys = [[1000 + step] for step in range(200)]
    start = direction(1, 0, size)
    moving = MovingPrefix(replay, start.clone(), keys, rate, rounding=lambda step: step)
    prefix = Prefix(replay, start, keys, rate)
    theta, keep = start.numpy().copy(), start.new_tensor(1.0 - rate * weight_decay).numpy()
    for step in range(200):
        moving.append(gradients[step].tolist())
        prefix.append(gradients[step].tolist())
        c = start.new_tensor(-(rate * float(gradients[step, 0]))).numpy()
        theta[:200] *= keep
        theta += c * direction(keys[step][0], 0, size).numpy()
        assert moving.point.numpy().tobytes() == theta.tobytes()
        past = Steps(keys[: step + 1], gradients[: step + 1], rate)
        assert torch.equal(prefix.point, replay(start, [past]))
    torch.testing.assert_close(moving.point, prefix.point, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("heads", "examples"), [(2, 1), (4, 1), (2, 3)])
@pytest.mark.parametrize("family", ["bloom", "mpt"])
def test_position_biases_with_a_row_for_every_head_are_not_divided(family: str, heads: int, examples: int) -> None:
    """Their rows may be as many as the examples of both signs; then one sign goes after the other."""
    kinds: dict[str, PreTrainedConfig] = {
        "bloom": BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=heads),
        "mpt": MptConfig(vocab_size=300, d_model=32, n_layers=2, n_heads=heads, max_seq_len=64),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = AutoModelForCausalLM.from_config(kinds[family]).float().eval()
    model = tuned(built.requires_grad_(True))
    batch = make_batch(*((3, 5), (1, 9), (6, 2))[:examples])
    found = LayerwiseScorer(model.model, model.parameters).losses(model.parameters.buffer, PAIRS, batch)
    wanted = CopyInScorer(model.model, model.parameters).losses(model.parameters.buffer, PAIRS, batch)
    assert found == pytest.approx(wanted, abs=1e-6)
