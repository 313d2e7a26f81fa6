"""Trainers: what a client does with its data in a round. One file a trainer.

A trainer's work is a function of (start, work): it keeps nothing between calls, so any engine may run it anywhere,
twice, or again after an interruption.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import mul
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from torch import Tensor

from fedmezo.core.registry import Registry
from fedmezo.data.batches import Batch
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.replay import Replay
from fedmezo.zeroth_order.scoring import Scorer
from fedmezo.zeroth_order.steps import Round, StepRule

RETRIES = 3  # batches tried for one step while its loss is not finite


@dataclass(frozen=True)
class LocalWork:
    """One client's work in one round.

    Args:
        round_index: whose stream keys the steps draw from.
        client: likewise.
        learning_rate: eta of this client in this round.
        steps: H, the number of local steps.
        batch: the batch of a step; also answers for steps >= H (the batches after this round's).
        keys: stream keys of the directions, [H, Q].
        on_step: told the loss of every finished step.
    """

    round_index: int
    client: int
    learning_rate: float
    steps: int
    batch: Callable[[int], Batch]
    keys: list[list[int]]
    on_step: Callable[[float], None]


@dataclass(frozen=True)
class LocalUpdate:
    """What a client sends: scalars or weights, never both.

    Args:
        train_loss: mean over the steps that were finite, by their examples; NaN if there was none.
        examples: trained on in this round.
        nonfinite: losses that were not finite.
        gradients: projected gradients, fp32 [H, Q] (zeroth-order trainers).
        failed: the (step, query) whose loss was not finite; their gradient is 0.
        point: the client's parameters, fp32 [d] (first-order trainers).
    """

    train_loss: float
    examples: int
    nonfinite: int
    gradients: np.ndarray | None = None
    failed: tuple[tuple[int, int], ...] = ()
    point: Tensor | None = None


@dataclass(frozen=True)
class Resources:
    """What a trainer can be made of.

    Args:
        scorer: losses of parameter points; it holds the model and its flat parameters.
        replay: the arithmetic of the run's updates.
        seed: of the run.
        mu: perturbation scale (``zo.mu``).
        estimator: of projected gradients (``zo.estimator``).
        step_rule: from projected gradients to the scalars that are recorded (``zo.normalise``).
        clip: bound on a gradient's norm (``grad.grad_clip``), or None.
        retry: whether a step whose loss is not finite tries the following batches (``llm.retry_on_nan_loss``).
        optimizer: name of a class in :mod:`torch.optim` (``train.optimizer.type``).
        arguments: the optimizer's besides parameters, rate and weight decay.
        weight_decay: of the run.
    """

    scorer: Scorer
    replay: Replay
    seed: int
    mu: float
    estimator: Estimator
    step_rule: Callable[[Round], StepRule]
    clip: float | None
    retry: bool
    optimizer: str
    arguments: Mapping[str, Any]
    weight_decay: float


class Trainer(Protocol):
    """The contract of a trainer.

    Attributes:
        sends: what its updates hold: ``scalars`` (gradients) or ``weights`` (a point).
    """

    sends: ClassVar[Literal["scalars", "weights"]]

    def train(self, start: Tensor, work: LocalWork) -> LocalUpdate:
        """Train from the parameters ``start`` [d] and return the update; ``start`` is not written to."""
        ...


@runtime_checkable
class TogetherTrainer(Trainer, Protocol):
    """A trainer that can do the work of several clients in step, sharing forward passes."""

    def train_together(self, start: Tensor, works: Sequence[LocalWork]) -> list[LocalUpdate]:
        """Train from the same start [d] and return the updates, each as by itself up to rounding."""
        ...


class RegisteredTrainer(Trainer, Protocol):
    """A trainer that a configuration can name."""

    @classmethod
    def create(cls, resources: Resources, *args: Any, **options: Any) -> Self:
        """Make the trainer of a run; a parameter after the first is a key ``trainer.NAME`` of the configuration.

        Raises:
            ConfigurationError: it cannot work with what it is given.
        """
        ...


def mean_loss(losses: Sequence[float], sizes: Sequence[int]) -> float:
    """Return the mean of steps' losses, weighted by the sizes of their batches; NaN where there is none.

    The weights are 1 where all batches are alike, so that the mean has the bits of a plain one.
    """
    weights = [size / max(sizes) for size in sizes]
    return math.fsum(map(mul, losses, weights)) / math.fsum(weights) if losses else math.nan


@contextmanager
def step_context(step: int, batch: Batch) -> Iterator[None]:
    """Note step and examples on whatever goes wrong inside."""
    try:
        yield
    except Exception as error:
        error.add_note(f"step {step}, examples {batch.indices.tolist()}")
        raise


registry: Registry[type[RegisteredTrainer]] = Registry("trainer", __name__, needs=("create", "train", "sends"))
register = registry.register
