"""Local training by backpropagation: the baseline (FedAvg, McMahan et al., AISTATS 2017) in any torch optimizer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import preserved_torch_state, stream_key
from fedmezo.data.batches import Batch
from fedmezo.training import RETRIES, LocalUpdate, LocalWork, Resources, mean_loss, register, step_context
from fedmezo.zeroth_order.scoring import Scorer


@register("llmtrainer")
@dataclass(frozen=True)
class BackpropTrainer:
    """First-order local steps; the optimizer is new in each round, as clients keep no state.

    Args:
        scorer: holds the model and its flat parameters.
        seed: of the run, for dropout.
        optimizer: name of a class in :mod:`torch.optim`.
        arguments: its arguments besides parameters, rate and weight decay.
        weight_decay: for matrices; biases and norms have none.
        clip: bound on the gradient's norm, or None.
        retry: whether a step whose loss is not finite is repeated with the next batch.

    Raises:
        ConfigurationError: the criterion has no gradient, or the optimizer does not take the arguments.
    """

    sends: ClassVar[Literal["scalars", "weights"]] = "weights"

    scorer: Scorer
    seed: int
    optimizer: str = "SGD"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weight_decay: float = 0.0
    clip: float | None = None
    retry: bool = False

    @classmethod
    def create(cls, resources: Resources) -> Self:
        """Make the trainer of a run."""
        return cls(
            scorer=resources.scorer,
            seed=resources.seed,
            optimizer=resources.optimizer,
            arguments=resources.arguments,
            weight_decay=resources.weight_decay,
            clip=resources.clip,
            retry=resources.retry,
        )

    def __post_init__(self) -> None:
        """Refuse what backpropagation cannot do, before anything is trained."""
        if not self.scorer.differentiable:
            raise ConfigurationError(
                "trainer.type = llmtrainer\n    criterion.type has no gradient, which backpropagation needs; "
                "mezotrainer does without"
            )
        parameter = nn.Parameter(torch.zeros(1))
        parameter.grad = torch.zeros(1)
        optimizer = new_optimizer(self.optimizer, [{"params": [parameter]}], 1.0, self.arguments)
        try:
            optimizer.step()
        except (TypeError, ValueError, RuntimeError) as error:
            raise _refused(self.optimizer, self.arguments, error) from error

    def train(self, start: Tensor, work: LocalWork) -> LocalUpdate:
        """Take ``work.steps`` optimizer steps from ``start`` [d] and return the resulting parameters."""
        with self.scorer.at(start) as model:
            model.train()
            try:
                optimizer = self._new_optimizer(model, work.learning_rate)
                return self._steps(model, optimizer, work)
            finally:
                model.eval()
                model.zero_grad(set_to_none=True)

    def _steps(self, model: nn.Module, optimizer: torch.optim.Optimizer, work: LocalWork) -> LocalUpdate:
        losses: list[float] = []
        sizes: list[int] = []
        nonfinite = 0
        for step in range(work.steps):
            for attempt in range(RETRIES if self.retry else 1):
                batch = work.batch(step + attempt)
                with step_context(step, batch):
                    loss = self._step(model, optimizer, batch, self._dropout_key(work, step))
                if math.isfinite(loss):
                    losses.append(loss)
                    sizes.append(len(batch.labels))
                    break
                nonfinite += 1
            work.on_step(loss)
        point = self.scorer.parameters.gather().clone()
        return LocalUpdate(mean_loss(losses, sizes), sum(sizes), nonfinite, point=point)

    def _step(self, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, key: int) -> float:
        """Return the loss; parameters stay as they are where it, or a gradient, is not finite."""
        optimizer.zero_grad(set_to_none=True)
        with preserved_torch_state(key):
            loss = self.scorer.values(batch).mean()
            loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(_trainable(model), self.clip or math.inf)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            return math.nan
        optimizer.step()
        return loss.item()

    def _new_optimizer(self, model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
        matrices = [p for p in _trainable(model) if p.ndim > 1]
        vectors = [p for p in _trainable(model) if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        return new_optimizer(self.optimizer, [g for g in groups if g["params"]], learning_rate, self.arguments)

    def _dropout_key(self, work: LocalWork, step: int) -> int:
        return stream_key(self.seed, "dropout", round_index=work.round_index, client=work.client, step=step)


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def new_optimizer(
    name: str, groups: list[dict[str, Any]], learning_rate: float, arguments: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """Return an optimizer of :mod:`torch.optim` by name.

    Raises:
        ConfigurationError: the optimizer does not take the arguments.
    """
    try:
        optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(groups, lr=learning_rate, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _refused(name, arguments, error) from error
    return optimizer


def _refused(name: str, arguments: Mapping[str, Any], error: Exception) -> ConfigurationError:
    return ConfigurationError(f"train.optimizer.type = {name}\n    {dict(arguments)}: {error}")
