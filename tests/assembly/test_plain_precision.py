"""``train.precision plain``: what transformers computes in half precision, each sign of a direction alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.assembly.precision import precision_warnings
from fedmezo.data.batches import IGNORED, Batch
from fedmezo.models.half_precision import pairing_of
from fedmezo.models.hubs.random_llm import MODELS
from fedmezo.replay import main as replay
from fedmezo.zeroth_order.estimators import Lane
from tests.test_main import train

Write = Callable[..., Path]

PLAIN = ("use_gpu", "False", "train.is_enable_half", "True", "train.precision", "plain")
WHOLE = ("llm.adapter.use", "False")
ADAPTERS = {
    "lora": "{adapter_method: lora, r: 4}",
    "dora": "{adapter_method: lora, r: 4, use_dora: true}",
    "frozen A": "{adapter_method: lora, r: 4, freeze_a: true}",
    "ia3": "{adapter_method: ia3}",
    "norms": "{adapter_method: ln-tuning}",
    "prefix": "{adapter_method: prefix, num_virtual_tokens: 2}",
}


def assembled(tiny_yaml: Write, *overrides: str) -> tuple[LearningTask, Batch]:
    task = assemble_learning_task(config.load(tiny_yaml(), [*PLAIN, *overrides]))
    return task, task.collate(task.data.partition.clients[0].train[:2])


@torch.inference_mode()
def plain_loss(model: nn.Module, batch: Batch) -> float:
    """Return the mean loss of the response tokens, by the model's own forward pass."""
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[:, :-1]
    labels = batch.labels[:, 1:]
    return float(functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED))


def dtypes(model: nn.Module) -> set[torch.dtype]:
    """Return those of the base model's parameters."""
    own = (parameter for name, parameter in model.named_parameters() if "lora_" not in name)
    return {parameter.dtype for parameter in own if not parameter.requires_grad}


@pytest.mark.parametrize("args", ADAPTERS.values(), ids=ADAPTERS)
def test_an_adapter_of_any_kind_is_scored_around_a_model_in_half_precision(tiny_yaml: Write, args: str) -> None:
    task, batch = assembled(tiny_yaml, "llm.adapter.args", f"[{args}]")
    assert dtypes(task.model) == {torch.bfloat16} and pairing_of(task.model) is None
    assert task.scorer.loss(task.start, batch) == pytest.approx(plain_loss(task.model, batch), rel=2e-3)
    above, below = task.scorer.losses(task.start, [Lane(1, 0.5), Lane(1, -0.5)], batch)
    assert above != below


@pytest.mark.covering(1)
@pytest.mark.parametrize("family", sorted(MODELS))
@pytest.mark.parametrize("scale", [0.0, 1e-2])
def test_all_parameters_are_scored_at_points_rounded_to_half_precision(
    tiny_yaml: Write, family: str, scale: float
) -> None:
    task, batch = assembled(tiny_yaml, *WHOLE, "model.type", f"{family}@random_llm")
    before = task.parameters.buffer.clone()
    assert before.dtype == torch.bfloat16
    losses = task.scorer.losses(task.start, [Lane(3, scale), Lane(3, -scale)], batch)
    assert torch.equal(before, task.parameters.buffer)
    for sign, loss in zip((1.0, -1.0), losses, strict=True):
        z = task.scorer.directions.values(3, 0, task.parameters.size)
        task.parameters.buffer.copy_(rounded(before, z, sign * scale))
        assert loss == pytest.approx(plain_loss(task.model, batch), rel=2e-3)
        task.parameters.buffer.copy_(before)


def rounded(point: Tensor, z: Tensor, scale: float) -> Tensor:
    return torch.add(point.float(), z, alpha=scale).bfloat16()


@pytest.mark.parametrize("blocks", ["1", "2"])
@pytest.mark.parametrize("trained", [(), WHOLE], ids=["LoRA", "all"])
def test_a_plain_run_is_told_replayed_and_none_of_the_shared_ones(
    tiny_yaml: Write, trained: tuple[str, ...], blocks: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = (
        "train.is_enable_half",
        "True",
        "zo.blocks",
        blocks,
        "federate.hash_freq",
        "1",
        "zo.queries",
        blocks,
        *trained,
    )
    plain = train(tiny_yaml(), "plain", *own, "train.precision", "plain")
    assert "half precision adds rounding noise" in capsys.readouterr().err
    assert replay([str(plain.folder), "--verify"]) == 0
    assert plain.ledger().hashes() != train(tiny_yaml(), "shared", *own).ledger().hashes()


def test_backpropagation_takes_plain_half_precision_too(tiny_yaml: Write) -> None:
    half = ("trainer.type", "llmtrainer", "train.is_enable_half", "True")
    plain, shared = (train(tiny_yaml(), name, *half, "train.precision", name) for name in ("plain", "shared"))
    assert plain.summary()["losses"]["test"]["change"] < 0
    assert plain.adapter_bytes() != shared.adapter_bytes()


def test_what_helps_is_named(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml(), PLAIN)
    (said,) = precision_warnings(cfg, assemble_learning_task(cfg).scorer)
    assert "train.precision shared" in said
