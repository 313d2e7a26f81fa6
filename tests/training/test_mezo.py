"""The zeroth-order trainer: its step, and what happens when a loss is not finite or the model fails."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmezo.assembly import LearningTask
from fedmezo.core.directions import direction
from fedmezo.core.directions.scaled import Directions
from fedmezo.training import LocalWork
from fedmezo.training.mezo import MezoTrainer
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.replay import Replay
from fedmezo.zeroth_order.steps import StepRule
from fedmezo.zeroth_order.steps.curvature import Bounded
from fedmezo.zeroth_order.steps.ema import OverRunningMoment
from fedmezo.zeroth_order.steps.newton import OverCurvature
from fedmezo.zeroth_order.steps.plain import Plain
from fedmezo.zeroth_order.steps.std import OverDeviation
from tests.training.conftest import FaultyScorer

Work = Callable[..., LocalWork]


def trainer(task: LearningTask, **changes: object) -> MezoTrainer:
    replay = Replay(task.parameters.decay_runs(), 0.0, Directions("gaussian"))
    return replace(MezoTrainer(task.scorer, replay, mu=0.005, estimator=CentralDifference()), **changes)  # type: ignore[arg-type]


def test_a_step_is_the_formula(tiny_task: LearningTask, work: Work) -> None:
    """theta <- theta - eta g z with g = (L(theta + mu z) - L(theta - mu z)) / (2 mu), spelled out."""
    update = trainer(tiny_task).train(tiny_task.start, work(steps=2))
    assert update.gradients is not None
    theta, losses, total = tiny_task.start.clone(), [], torch.zeros_like(tiny_task.start)
    for step in range(2):
        z, batch = direction(100 * step, 0, theta.numel()).to(theta.device), work().batch(step)
        above = tiny_task.scorer.loss(theta + 0.005 * z, batch)
        below = tiny_task.scorer.loss(theta - 0.005 * z, batch)
        g = np.float32((above - below) / 0.01)
        assert update.gradients[step, 0] == pytest.approx(g, rel=1e-3 if theta.is_cuda else 0)  # lanes round otherwise
        losses.append(above)
        total += float(np.float32(-0.01 * float(g))) * z
        theta = tiny_task.start + total
    assert update.train_loss == pytest.approx(math.fsum(losses) / 2, rel=1e-6 if theta.is_cuda else 0)
    assert update.examples == 4 and update.nonfinite == 0 and update.point is None


def test_training_leaves_model_and_start_untouched(tiny_task: LearningTask, work: Work) -> None:
    buffer, start = tiny_task.parameters.buffer.clone(), tiny_task.start.clone()
    trainer(tiny_task).train(tiny_task.start, work())
    assert torch.equal(tiny_task.parameters.buffer, buffer)
    assert torch.equal(tiny_task.start, start)


def test_queries_are_averaged(tiny_task: LearningTask, work: Work) -> None:
    update = trainer(tiny_task).train(tiny_task.start, work(steps=2, queries=3))
    assert update.gradients is not None
    assert update.gradients.shape == (2, 3) and len(set(update.gradients.flatten().tolist())) == 6


def test_a_step_without_a_finite_loss_is_zero_and_counted(tiny_task: LearningTask, work: Work) -> None:
    faulty = set(work().batch(1).indices.tolist())
    scorer = FaultyScorer(tiny_task.scorer, faulty)
    update = trainer(tiny_task, scorer=scorer).train(tiny_task.start, work())
    assert update.gradients is not None
    assert [g != 0 for g in update.gradients[:, 0]] == [True, False, True]
    assert update.failed == ((1, 0),)
    assert update.nonfinite == 1 and update.examples == 4 and math.isfinite(update.train_loss)


def test_a_retry_takes_the_next_batch_with_the_same_direction(tiny_task: LearningTask, work: Work) -> None:
    faulty = FaultyScorer(tiny_task.scorer, set(work().batch(0).indices.tolist()))
    retried = trainer(tiny_task, scorer=faulty, retry=True).train(tiny_task.start, work(steps=1))
    shifted = replace(work(steps=1), batch=lambda step: work().batch(step + 1))
    expected = trainer(tiny_task).train(tiny_task.start, shifted)
    assert retried.gradients is not None and expected.gradients is not None
    assert retried.gradients.tolist() == expected.gradients.tolist()
    assert retried.nonfinite == 1


def test_nothing_finite_at_all(tiny_task: LearningTask, work: Work) -> None:
    everything = FaultyScorer(tiny_task.scorer, set(range(1000)))
    update = trainer(tiny_task, scorer=everything, retry=True).train(tiny_task.start, work(steps=2))
    assert update.gradients is not None and not update.gradients.any()
    assert math.isnan(update.train_loss) and update.examples == 0 and update.nonfinite == 6


def test_clipping_bounds_the_step(tiny_task: LearningTask, work: Work) -> None:
    free = trainer(tiny_task).train(tiny_task.start, work(steps=1)).gradients
    assert free is not None
    norm = direction(0, 0, tiny_task.start.numel()).double().norm().item()
    bound = abs(float(free[0, 0])) * norm / 2
    clipped = trainer(tiny_task, clip=bound).train(tiny_task.start, work(steps=1)).gradients
    assert clipped is not None
    assert math.isclose(clipped[0, 0], free[0, 0] / 2, rel_tol=1e-6)
    loose = trainer(tiny_task, clip=4 * bound).train(tiny_task.start, work(steps=1)).gradients
    assert loose is not None and loose.tolist() == free.tolist()


@pytest.mark.parametrize("estimator", [CentralDifference(), OneSided()])
def test_losses_that_a_kind_of_step_wants_are_of_the_same_batch(
    estimator: Estimator, tiny_task: LearningTask, work: Work
) -> None:
    """Newton's scalar follows from the losses around the point, by the formulas."""
    update = trainer(tiny_task, estimator=estimator, step_rule=OverCurvature).train(tiny_task.start, work(steps=1))
    z, batch = direction(0, 0, tiny_task.start.numel()).to(tiny_task.start.device), work().batch(0)
    base, above, below = (tiny_task.scorer.loss(tiny_task.start + s * z, batch) for s in (0.0, 0.005, -0.005))
    gradient = (above - below) / 0.01 if isinstance(estimator, CentralDifference) else (above - base) / 0.005
    assert update.gradients is not None
    wanted = gradient / abs((above + below - 2 * base) / 0.005**2)
    assert update.gradients[0, 0] == pytest.approx(wanted, rel=1e-2)  # lanes round otherwise


@pytest.mark.parametrize("rule", [Plain, OverDeviation, OverRunningMoment, OverCurvature, Bounded])
def test_every_kind_of_step_survives_a_batch_without_a_finite_loss(
    rule: type[StepRule], tiny_task: LearningTask, work: Work
) -> None:
    scorer = FaultyScorer(tiny_task.scorer, set(work().batch(0).indices.tolist()))
    update = trainer(tiny_task, scorer=scorer, step_rule=rule).train(tiny_task.start, work(queries=2))
    assert update.gradients is not None and update.failed == ((0, 0), (0, 1)) and update.nonfinite == 2
    assert not update.gradients[0].any() and np.isfinite(update.gradients).all()
    assert update.gradients[1:].all()


def test_a_kind_of_step_takes_the_losses_of_the_retry(tiny_task: LearningTask, work: Work) -> None:
    faulty = FaultyScorer(tiny_task.scorer, set(work().batch(0).indices.tolist()))
    one = trainer(tiny_task, scorer=faulty, retry=True, step_rule=OverCurvature).train(tiny_task.start, work(steps=1))
    shifted = replace(work(steps=1), batch=lambda step: work().batch(step + 1))
    other = trainer(tiny_task, scorer=FaultyScorer(tiny_task.scorer, set()), step_rule=OverCurvature)
    wanted = other.train(tiny_task.start, shifted).gradients
    assert one.gradients is not None and wanted is not None and one.gradients.tolist() == wanted.tolist()


def test_an_error_in_the_model_names_step_and_examples_and_restores(
    tiny_task: LearningTask, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tiny_task.parameters.buffer.clone()

    def broken(*args: object, **kwargs: object) -> None:
        raise ArithmeticError("no")

    monkeypatch.setattr(tiny_task.model, "forward", broken)
    with pytest.raises(ArithmeticError) as caught:
        trainer(tiny_task).train(tiny_task.start, work())
    assert caught.value.__notes__ == [f"step 0, examples {work().batch(0).indices.tolist()}"]
    assert torch.equal(tiny_task.parameters.buffer, before)


@pytest.mark.parametrize("rule", [Plain, OverRunningMoment, Bounded])
def test_clients_in_step_learn_what_they_learn_alone(rule: type[StepRule], tiny_task: LearningTask, work: Work) -> None:
    mezo = trainer(tiny_task, step_rule=rule)
    works = [work(), replace(work(steps=2), client=2, keys=[[7], [8]]), work(steps=4, queries=2)]
    together = mezo.train_together(tiny_task.start, works)
    for found, own in zip(together, works, strict=True):
        wanted = mezo.train(tiny_task.start, own)
        assert found.gradients is not None and wanted.gradients is not None
        np.testing.assert_allclose(found.gradients, wanted.gradients, rtol=0.01, atol=1e-3)
        assert found.train_loss == pytest.approx(wanted.train_loss, abs=1e-4)
        assert (found.examples, found.nonfinite) == (wanted.examples, wanted.nonfinite)


def test_one_of_several_clients_may_have_no_finite_loss(tiny_task: LearningTask, work: Work) -> None:
    scorer = FaultyScorer(tiny_task.scorer, set(work().batch(1).indices.tolist()))
    mezo = trainer(tiny_task, scorer=scorer, retry=True)
    healthy = replace(work(), batch=lambda step: work().batch(5 + step))
    one, other = mezo.train_together(tiny_task.start, [work(), healthy])
    assert one.nonfinite == 1 and other.nonfinite == 0
    assert one.gradients is not None and other.gradients is not None
    assert one.gradients.shape == other.gradients.shape == (3, 1)
