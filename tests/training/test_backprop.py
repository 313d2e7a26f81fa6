"""The backpropagation baseline."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.core.errors import ConfigurationError
from fedmezo.criteria.make import make_criterion
from fedmezo.evaluation.fidelity import gradient
from fedmezo.training import LocalUpdate, LocalWork
from fedmezo.training.backprop import BackpropTrainer

Work = Callable[..., LocalWork]
OPTIMIZERS = ["SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "ASGD"]


def point(update: LocalUpdate) -> torch.Tensor:
    assert update.point is not None and update.gradients is None
    return update.point


def trainer(task: LearningTask, **changes: object) -> BackpropTrainer:
    return replace(BackpropTrainer(task.scorer, seed=3), **changes)  # type: ignore[arg-type]


def test_an_sgd_step_is_the_formula(tiny_task: LearningTask, work: Work) -> None:
    one = work(steps=1, rate=0.1)
    found = trainer(tiny_task, weight_decay=0.5).train(tiny_task.start, one)
    slope = gradient(tiny_task.scorer, tiny_task.start, one.batch(0))
    wanted = tiny_task.start - 0.1 * (slope + 0.5 * tiny_task.start)
    torch.testing.assert_close(point(found), wanted, rtol=1e-5, atol=1e-7)
    assert math.isclose(found.train_loss, tiny_task.scorer.loss(tiny_task.start, one.batch(0)), rel_tol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(tiny_task: LearningTask, work: Work, name: str) -> None:
    single = replace(work(steps=6, rate=0.01), batch=lambda step: work().batch(0))
    after = point(trainer(tiny_task, optimizer=name).train(tiny_task.start, single))
    loss = tiny_task.scorer.loss
    assert loss(after, single.batch(0)) < loss(tiny_task.start, single.batch(0))


def test_it_is_reproducible_and_leaves_no_trace(tiny_yaml: Callable[..., object], work: Work) -> None:
    args = [{"adapter_package": "peft", "adapter_method": "lora", "r": 4, "lora_dropout": 0.3}]
    path = tiny_yaml(llm={"adapter": {"args": args}})
    task = assemble_learning_task(config.load(path))  # type: ignore[arg-type]
    state, before = torch.random.get_rng_state(), task.parameters.buffer.clone()
    first = point(trainer(task).train(task.start, work(rate=1.0)))
    again = point(trainer(task).train(task.start, work(rate=1.0)))
    other = point(trainer(task, seed=4).train(task.start, work(rate=1.0)))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(task.parameters.buffer, before)
    assert not task.model.training
    assert all(parameter.grad is None for parameter in task.model.parameters())


def test_clipping_bounds_the_gradient(tiny_task: LearningTask, work: Work) -> None:
    moved = point(trainer(tiny_task, clip=1e-3).train(tiny_task.start, work(steps=1, rate=1.0)))
    assert math.isclose((moved - tiny_task.start).norm().item(), 1e-3, rel_tol=1e-2)


def test_checkpointing_changes_nothing_but_memory(tiny_yaml: Callable[..., object], work: Work) -> None:
    points = []
    for checkpointing in (False, True):
        train = {"gradient_checkpointing": checkpointing}
        cfg = config.load(tiny_yaml(train=train, trainer={"type": "llmtrainer"}))  # type: ignore[arg-type]
        task = assemble_learning_task(cfg)
        points.append(point(trainer(task).train(task.start, work(rate=1.0))))
        assert task.model.is_gradient_checkpointing is checkpointing
    torch.testing.assert_close(points[0], points[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("retry", "counted"), [(False, 2), (True, 6)])
def test_losses_that_are_not_finite_are_counted(
    tiny_task: LearningTask, work: Work, monkeypatch: pytest.MonkeyPatch, retry: bool, counted: int
) -> None:
    plain = tiny_task.scorer.criterion
    monkeypatch.setattr(tiny_task.scorer, "criterion", lambda *args: plain(*args) * float("nan"))
    update = trainer(tiny_task, retry=retry).train(tiny_task.start, work(steps=2))
    assert torch.equal(point(update), tiny_task.start)
    assert math.isnan(update.train_loss) and update.examples == 0 and update.nonfinite == counted


def test_wrong_optimizer_arguments_are_the_users_mistake(tiny_task: LearningTask) -> None:
    with pytest.raises(ConfigurationError, match="betas"):
        trainer(tiny_task, optimizer="SGD", arguments={"betas": (0.9, 0.99)})


def test_a_criterion_without_a_gradient_is_refused(tiny_task: LearningTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_task.scorer, "criterion", make_criterion("accuracy"))
    with pytest.raises(ConfigurationError, match="has no gradient, which backpropagation needs; mezotrainer does"):
        trainer(tiny_task)
