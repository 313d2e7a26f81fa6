"""What takes a zeroth-order step, or two plain forwards: implementations that are measured side by side."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from benchmarks.textbook import inputs
from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.assembly.precision import base_dtype, chosen_device, placed
from fedmezo.core.cache import cache_folder
from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.data.batches import IGNORED, Batch
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.hubs import load_base_model
from fedmezo.zeroth_order.estimators.central import CentralDifference
from fedmezo.zeroth_order.estimators.estimate import estimate
from fedmezo.zeroth_order.estimators.one_sided import OneSided
from fedmezo.zeroth_order.replay import DirectionKeys, MovingPrefix, Prefix, Replay

WORD_PROBLEMS = Path(__file__).parents[1] / "configs" / "word_problems.yaml"
TRAINABLE = {"lora8": 8, "lora128": 128, "all": 0}
DTYPES = ("fp32", "bf16", "bf16-plain")
RATE, SEED = 1e-6, 0
Step = Callable[[Batch, int], object]


@dataclass(frozen=True)
class Case:
    """What is measured: ``trainable`` is a key of ``TRAINABLE``, ``dtype`` one of ``DTYPES``, of the base model:
    bf16 shares its rounding between the signs, bf16-plain does not (``train.precision``)."""

    model: str
    trainable: str
    distribution: str
    dtype: str
    batch: int
    data: str = ""

    def task(self, *, compiled: bool = False, blocks: int = 1) -> LearningTask:
        """Return model and data of the case, as a run has them."""
        rank = TRAINABLE[self.trainable]
        overrides = ["model.type", self.model, "dataloader.batch_size", str(self.batch), "zo.mu", "1e-3"]
        overrides += ["train.is_enable_half", str(self.dtype != "fp32"), "zo.distribution", self.distribution]
        overrides += ["train.precision", "plain"] if self.dtype == "bf16-plain" else []
        overrides += ["train.compile", str(compiled), "zo.blocks", str(blocks)]
        overrides += (
            ["llm.adapter.args", f"[{{adapter_method: lora, r: {rank}, lora_alpha: {2 * rank}}}]"] if rank else []
        )
        overrides += [] if rank else ["llm.adapter.use", "False"]
        overrides += ["data.root", self.data, "data.type", "gsm8k@llm"] if self.data else ["data.num_examples", "300"]
        return assemble_learning_task(config.load(WORD_PROBLEMS, overrides))

    def plain(self) -> PreTrainedModel | PeftModel:
        """Return the model as peft and transformers have it, where the task has its own."""
        device = chosen_device(True, 0)
        dtype = base_dtype(self.dtype != "fp32", device)
        model = load_base_model(self.model, dtype=dtype, cache=cache_folder(), device_map=placed("", device)).model
        rank = TRAINABLE[self.trainable]
        arguments = {"adapter_method": "lora", "r": rank, "lora_alpha": 2 * rank}
        plain: PreTrainedModel | PeftModel = attach_adapter(model, arguments) if rank else model.requires_grad_(True)
        return plain.to(device).eval()


def batches(task: LearningTask, size: int) -> Iterator[Batch]:
    """Yield training batches without end."""
    indices = task.data.partition.clients[0].train
    for start in range(0, 10**9, size):
        yield task.collate(np.sort(indices[np.arange(start, start + size) % len(indices)]))


def forward(model: nn.Module, batch: Batch, number: int) -> None:
    """Two plain forwards."""
    for _ in range(2):
        model(**inputs(model, batch))


def lean(model: nn.Module, batch: Batch, number: int) -> None:
    """Two forwards with logits at the response tokens only."""
    first = int((batch.labels != IGNORED).any(dim=0).nonzero()[0])
    given = inputs(model, batch)
    labels = given.pop("labels")[:, first:]
    for _ in range(2):
        logits = model(**given, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
        nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())


class Ours:
    """The step of ``mezotrainer``."""

    def __init__(self, task: LearningTask, mu: float) -> None:
        self.task, self.mu = task, mu
        replay = Replay(task.parameters.decay_runs(), 0.0, task.scorer.directions)
        keys = [[number] for number in range(10_000)]
        self.prefix: Prefix | MovingPrefix = (
            MovingPrefix(replay, task.start, keys, RATE, rounding=lambda step: step)
            if task.scorer.in_place
            else Prefix(replay, task.start, keys, RATE)
        )

    def __call__(self, batch: Batch, number: int) -> None:
        """Take a step."""
        losses = partial(self.task.scorer.losses, batch=batch)
        (query,) = estimate(CentralDifference(), losses, self.prefix.point, [number], self.mu)
        self.prefix.append([query.gradient])


class InBlocks:
    """The step of ``mezotrainer`` in blocks: a one-sided query in each."""

    def __init__(self, task: LearningTask, mu: float) -> None:
        self.task, self.mu = task, mu
        self.blocks = task.scorer.directions.blocks
        order = BlockOrder(self.blocks, tuple(range(self.blocks)))
        self.keys = DirectionKeys(SEED, self.blocks, blocks=order)(0, 0, 10_000)
        replay = Replay(task.parameters.decay_runs(), 0.0, task.scorer.directions, self.blocks)
        self.prefix: Prefix | MovingPrefix = (
            MovingPrefix(replay, task.start, self.keys, RATE, rounding=lambda step: step)
            if task.scorer.in_place
            else Prefix(replay, task.start, self.keys, RATE)
        )

    @property
    def forwards(self) -> float:
        """Plain forwards that a step is, counted in layers: a base, and half a forward more a query than there are."""
        return 1 + (self.blocks + 1) / 2

    def __call__(self, batch: Batch, number: int) -> None:
        """Take a step."""
        losses = partial(self.task.scorer.losses, batch=batch)
        keys = self.keys[len(self.prefix.gradients)]
        found = estimate(OneSided(), losses, self.prefix.point, keys, self.mu)
        self.prefix.append([query.gradient for query in found])
