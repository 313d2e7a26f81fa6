"""All parameters perturbed as they are read, against the same points copied into the model."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, BloomConfig, MptConfig, PreTrainedConfig

from fedmezo.data.batches import Batch
from fedmezo.models.kept_on_disk import kept_on_disk
from fedmezo.models.scoring import InPlaceScorer, Request, SwapScorer, in_place, make_scorer
from fedmezo.zeroth_order.directions import Distribution, direction
from fedmezo.zeroth_order.directions.scaled import Directions
from fedmezo.zeroth_order.estimators import ESTIMATORS, Lane
from fedmezo.zeroth_order.replay import MovingPrefix, Prefix, Replay, Steps
from tests.models.tiny import FAMILIES, Tuned, bits, make_batch, places, tiny_base, tiny_lora, tuned

LANES = [*ESTIMATORS["central"].lanes([3, 4], 1e-2), *ESTIMATORS["one-sided"].lanes([3], 1e-2)]
PAIRS = ESTIMATORS["central"].lanes([3, 4], 1e-2)
BATCH = make_batch((3, 5), (1, 9), (6, 2))


def whole(family: str = "tiny-llama") -> Tuned:
    return tuned(tiny_base(family=family).requires_grad_(True))


@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("batch", [BATCH, make_batch((3, 5))], ids=["3 examples", "1 example"])
@pytest.mark.parametrize("lanes", [PAIRS, LANES], ids=["both signs", "single lanes"])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_the_points(
    family: str, lanes: list[Lane], batch: Batch, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both signs of a direction in one forward, or lanes by themselves; the head in one part, or in several."""
    model = whole(family)
    directions = Directions(distribution)
    wanted = SwapScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, lanes, batch)
    for elements in (1 << 22, 64 * 20):
        monkeypatch.setattr(in_place, "MOST_ELEMENTS", elements)
        found = InPlaceScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, lanes, batch)
        assert found == pytest.approx(wanted, abs=1e-6)


def test_scales_of_parts_act() -> None:
    model = whole()
    half = model.parameters.size // 2
    directions = Directions("gaussian", ((0, half, 0.1), (half, model.parameters.size, 3.0)))
    found = InPlaceScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, LANES, BATCH)
    wanted = SwapScorer(model.model, model.parameters, directions).losses(model.parameters.buffer, LANES, BATCH)
    assert found == pytest.approx(wanted, abs=1e-6)
    plain = InPlaceScorer(model.model, model.parameters).losses(model.parameters.buffer, LANES, BATCH)
    assert max(abs(a - b) for a, b in zip(found, plain, strict=True)) > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_a_thousand_losses_leave_no_trace(family: str) -> None:
    model, batch = whole(family), make_batch((2, 3))
    scorer = InPlaceScorer(model.model, model.parameters)
    before, where = bits(model.model), places(model.model)
    for _ in range(25):
        scorer.losses(model.parameters.buffer, ESTIMATORS["central"].lanes(range(20), 1e-2), batch)
    assert bits(model.model) == before and places(model.model) == where
    assert untouched(model.model)


def test_an_error_inside_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    model = whole()
    scorer, before, where = InPlaceScorer(model.model, model.parameters), bits(model.model), places(model.model)

    def broken(*_: object) -> Tensor:
        assert places(model.model) != where  # a layer stands in at this moment
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
    assert type(make_scorer(model.model, model.parameters, Directions(), movable=True)) is InPlaceScorer
    assert type(make_scorer(model.model, model.parameters, Directions())) is SwapScorer
    assert in_place.obstacle(lora.model, lora.parameters) == "an adapter is trained"
    model.model.get_input_embeddings().weight.requires_grad_(False)
    partly = tuned(model.model)
    assert in_place.obstacle(partly.model, partly.parameters) == "some parameters are not trained"


def test_together_means_one_after_the_other() -> None:
    model = whole()
    scorer, point = InPlaceScorer(model.model, model.parameters), model.parameters.buffer
    requests = [Request(point, LANES, BATCH), Request(point, LANES[:1], make_batch((2, 2)))]
    assert scorer.losses_together(requests) == [scorer.losses(*request) for request in requests]


def test_a_kept_vector_comes_back_whatever_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fedmezo.models.kept_on_disk.CHUNK", 1000)
    vector = direction(1, 0, 4321)
    before = vector.clone()
    with pytest.raises(RuntimeError, match="in the middle"), kept_on_disk(vector, tmp_path / "new"):
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
    moving, prefix = MovingPrefix(replay, start.clone(), keys, rate), Prefix(replay, start, keys, rate)
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
    found = InPlaceScorer(model.model, model.parameters).losses(model.parameters.buffer, PAIRS, batch)
    wanted = SwapScorer(model.model, model.parameters).losses(model.parameters.buffer, PAIRS, batch)
    assert found == pytest.approx(wanted, abs=1e-6)
