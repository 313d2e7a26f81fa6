"""Every trainer with every way of training a model, on every family, in every dtype: one round of one step.

The cells where an adapter is trained in fp32 by mezotrainer also save it and load it onto the base model with PEFT.
"""

from collections.abc import Callable
from math import isfinite
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor

from fedmezo import config, training
from fedmezo.assembly import LearningTask, assemble_federation, assemble_learning_task
from fedmezo.core.errors import ConfigurationError
from fedmezo.data.batches import Batch
from fedmezo.models.adapters import load_point, save_trained
from fedmezo.zeroth_order.scoring import token_losses
from tests.models.tiny import FAMILIES, SMALL, bits, tiny_base

ALL = "all parameters"
DTYPES = ("float32", "bfloat16")
Write = Callable[..., Path]


@pytest.fixture
def write(tiny_yaml: Write) -> Write:
    """Return a maker of the configuration of a cell: two clients, a step of a batch of two."""

    def make(trainer: str, method: str, family: str, dtype: str) -> Path:
        arguments = {"adapter_method": method, **SMALL[method]} if method != ALL else {"adapter_method": "lora"}
        return tiny_yaml(
            model={"type": f"{family}@random_llm"},
            data={"num_examples": 12, "splits": [0.5, 0.25, 0.25]},
            llm={"adapter": {"use": method != ALL, "args": [arguments]}},
            federate={"client_num": 2},
            train={"local_update_steps": 1, "is_enable_half": dtype == "bfloat16"},
            trainer={"type": trainer},
            use_gpu=False,
        )

    return make


@pytest.mark.covering(2)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", [*SMALL, ALL])
@pytest.mark.parametrize("trainer", sorted(training.registry.names()))
def test_a_round(trainer: str, method: str, family: str, dtype: str, write: Write, tmp_path: Path) -> None:
    path = write(trainer, method, family, dtype)
    if method == ALL and dtype != "float32" and trainer != "mezotrainer":
        with pytest.raises(ConfigurationError, match="all parameters in half precision are trained by mezotrainer"):
            config.load(path)
        return
    cfg = config.load(path)
    task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, task)
    server, before, start = federation.server, bits(task.model), task.start.clone()
    plan = server.plan(0)
    record = server.aggregate(plan, federation.engine.run(plan, server.parameters))
    assert bits(task.model) == before
    server.apply(record)
    assert task.scorer.in_place is (method == ALL and trainer == "mezotrainer")
    if task.scorer.in_place:
        assert server.parameters is task.start is task.parameters.buffer
        before = bits(task.model)
    assert bits(task.model) == before
    matrices = {p.dtype for p in task.model.parameters() if not p.requires_grad and p.ndim > 1}
    assert matrices <= {getattr(torch, dtype)}
    assert all(isfinite(client.train_loss) and client.nonfinite == 0 for client in record.clients)
    moved = server.parameters != start
    for span in task.parameters.spans:
        zero = any(name in span.name for name in (".lora_A.", ".vera_lambda_d."))  # its gradient, while the other is
        at_rest = trainer == "llmtrainer" and zero
        assert moved[span.start : span.stop].any() != at_rest, span.name
    batch = task.collate(task.data.partition.clients[0].train[:2])
    loss = task.scorer.loss(server.parameters, batch)
    assert isfinite(loss)
    # half precision rounds so small a step away
    assert loss != task.scorer.loss(start, batch) or dtype != "float32"
    assert bits(task.model) == before
    if method != ALL and (trainer, dtype) == ("mezotrainer", "float32"):
        assert reloaded_loss(task, server.parameters, batch, family, tmp_path) == pytest.approx(loss, abs=1e-6)


def reloaded_loss(task: LearningTask, point: Tensor, batch: Batch, family: str, folder: Path) -> float:
    """Save the adapter at a point, load it onto the base model with PEFT, and return its loss."""
    with task.scorer.at(point) as model:
        save_trained(model, folder, task.tokenizer)
    loaded = PeftModel.from_pretrained(tiny_base(family=family), folder).eval()
    with torch.inference_mode():
        losses, _ = token_losses(loaded, batch)
    assert torch.equal(load_point(task.parameters, folder, task.model), point)
    return losses.double().mean().item()
