import numpy as np
import pytest
import torch
from torch import Tensor

from fedmezo.core.directions.scaled import Directions
from fedmezo.evaluation.fidelity import Fidelity, Setting, gradient, gradient_fidelities
from fedmezo.zeroth_order.estimators import Estimator, Projection
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from tests.models.tiny import ROWS, Tuned, bits, make_batch, places, tiny_lora

BATCHES = [make_batch(*ROWS, first=10 * number) for number in range(6)]


@pytest.fixture(scope="module")
def lora() -> Tuned:
    return tiny_lora()


def fidelity(scored: Tuned, exact: Tuned, mu: float) -> Fidelity:
    settings = [Setting(scored.scorer, mu, CentralDifference())]
    (found,) = gradient_fidelities(settings, exact.scorer, exact.point, BATCHES, directions_per_batch=4)
    return found


def test_the_gradient_is_the_numerical_derivative(lora: Tuned) -> None:
    found = gradient(lora.scorer, lora.point, BATCHES[0])
    assert found.shape == lora.point.shape
    for index in found.abs().argsort(descending=True)[:8].tolist():
        losses = []
        for sign in (1, -1):
            point = lora.point.clone()
            point[index] += sign * 0.01
            losses.append(lora.scorer.loss(point, BATCHES[0]))
        assert (losses[0] - losses[1]) / 0.02 == pytest.approx(found[index].item(), rel=0.01)


def test_the_gradient_is_that_of_transformers_own_loss(lora: Tuned) -> None:
    batch = BATCHES[1]
    with lora.scorer.at(lora.point) as model:
        loss = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).loss
        own = torch.autograd.grad(loss, [p for _, p in sorted(model.named_parameters()) if p.requires_grad])
    wanted = torch.cat([tensor.flatten() for tensor in own])
    assert torch.allclose(gradient(lora.scorer, lora.point, batch), wanted, atol=1e-6)


def test_a_gradient_leaves_no_trace(lora: Tuned) -> None:
    values, objects = bits(lora.model), places(lora.model)
    gradient(lora.scorer, lora.point, BATCHES[0])
    assert bits(lora.model) == values
    assert places(lora.model) == objects
    assert all(parameter.grad is None for parameter in lora.model.parameters())


def test_fidelity_is_high_in_full_precision(lora: Tuned) -> None:
    found = fidelity(lora, lora, mu=1e-3)
    assert found.pairs == 24
    assert found.correlation > 0.99
    assert found.error_std < 0.1 * found.exact_std


def test_fidelity_sees_the_bias_of_a_large_mu(lora: Tuned) -> None:
    assert fidelity(lora, lora, mu=10.0).correlation < 0.9


def test_fidelity_sees_the_rounding_of_half_precision(lora: Tuned) -> None:
    half = tiny_lora(torch.bfloat16)
    noisy, calmer = fidelity(half, lora, mu=1e-4), fidelity(half, lora, mu=1e-2)
    assert noisy.correlation < 0.9 < calmer.correlation
    assert noisy.error_std > noisy.exact_std


def test_the_numbers_are_those_of_the_pairs(lora: Tuned, monkeypatch: pytest.MonkeyPatch) -> None:
    estimates = iter(range(24))
    keys: set[int] = set()

    def ones(self: Directions, key: int, start: int, stop: int, *rest: object) -> Tensor:
        keys.add(key)
        return torch.ones(stop - start)

    monkeypatch.setattr(
        "fedmezo.evaluation.fidelity.estimate",
        lambda *_: [Projection(float(next(estimates)), 0.0) for _ in range(4)],
    )
    monkeypatch.setattr(Directions, "values", ones)
    found = fidelity(lora, lora, mu=1.0)
    assert len(keys) == 24  # every pair has a direction of its own
    exact = np.repeat([gradient(lora.scorer, lora.point, batch).double().sum().item() for batch in BATCHES], 4)
    assert found.correlation == pytest.approx(np.corrcoef(np.arange(24), exact)[0, 1])
    assert (found.exact_std, found.error_std) == pytest.approx((exact.std(), (np.arange(24) - exact).std()))


def test_settings_are_measured_side_by_side(lora: Tuned) -> None:
    central, one_sided = CentralDifference(), OneSided()
    cases: list[tuple[float, Estimator]] = [(1e-2, central), (1e-2, one_sided), (1e-3, central)]
    settings = [Setting(lora.scorer, mu, estimator) for mu, estimator in cases]
    found = gradient_fidelities(settings, lora.scorer, lora.point, BATCHES, directions_per_batch=4)
    assert found[0] == fidelity(lora, lora, mu=1e-2) and found[2] == fidelity(lora, lora, mu=1e-3)
    assert found[1].error_std > found[0].error_std  # a bias of order mu
    assert len({each.exact_std for each in found}) == 1
