"""Operations are counted, all of them, and counting changes no bit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.core.errors import ConfigurationError
from fedmezo.federation.engine import Failure
from fedmezo.main import main
from fedmezo.training.flops import FlopCounter, flops_of_a_forward

CASES = {
    "adapter": [],
    "five queries, one after the other": ["zo.estimator", "one-sided", "zo.queries", "5", "engine.lanes", "1"],
    "all parameters": ["llm.adapter.use", "False"],
    "half precision": ["llm.adapter.use", "False", "train.is_enable_half", "True"],
    "backpropagation": ["trainer.type", "llmtrainer"],
    "kept layers": [
        *("train.cache_frozen_layers", "True"),
        *("llm.adapter.args", "[{adapter_method: ln-tuning, target_modules: [norm]}]"),
    ],
}


def test_a_linear_layer_is_three_products_of_its_own_size() -> None:
    layer, x = nn.Linear(5, 7), torch.randn(2, 3, 5, requires_grad=True)
    with torch.inference_mode(), FlopCounter() as forward:
        layer(x)
    with FlopCounter() as both:
        layer(x).sum().backward()
    assert (forward.total, both.total) == (2 * 6 * 5 * 7, 3 * 2 * 6 * 5 * 7)


@pytest.mark.parametrize("heads", [4, 2], ids=["all heads", "grouped heads"])
def test_attention_of_the_cpu_counts_as_the_products_that_it_is(heads: int) -> None:
    """Its backward pass begins with the product of queries and keys, which the plain one has kept."""
    totals = {}
    for backend in (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION):
        query = torch.randn(2, 4, 6, 8, requires_grad=True)
        key, value = (torch.randn(2, heads, 6, 8, requires_grad=True) for _ in range(2))
        counter = FlopCounter()
        with sdpa_kernel(backend), counter:
            out = scaled_dot_product_attention(query, key, value, enable_gqa=heads < 4)
        forward = counter.total
        with counter:
            torch.autograd.grad(out.sum(), (query, key, value))
        totals[backend] = forward, counter.total - forward
    product = 2 * (2 * 4 * 6) * 6 * 8
    assert totals[SDPBackend.MATH] == (2 * product, 4 * product)
    assert totals[SDPBackend.FLASH_ATTENTION] == (2 * product, 5 * product)


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_counting_changes_no_bit(overrides: list[str], tiny_yaml: Callable[..., Path]) -> None:
    sent = {}
    for count in ("False", "True"):
        cfg = config.load(tiny_yaml(), [*overrides, "eval.count_flops", count])
        federation = assemble_federation(cfg, assemble_learning_task(cfg))
        replies = list(federation.engine.run(federation.server.plan(0), federation.server.parameters))
        sent[count] = [bytes(reply.message) for reply in replies if not isinstance(reply, Failure)]
    assert sent["True"] == sent["False"] and len(sent["True"]) == 3
    assert federation.executor.counter is not None and federation.executor.counter.total > 0


def test_a_step_of_the_textbook_is_two_plain_forwards(tiny_yaml: Callable[..., Path]) -> None:
    cfg = config.load(tiny_yaml(), ["eval.count_flops", "True", "dataloader.batch_size", "1"])
    task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, task)
    plan, data = federation.server.plan(0), federation.local_data
    for _ in federation.engine.run(plan, federation.server.parameters):
        pass
    batches = [data.batch(each.client, step) for each in plan.tasks for step in range(each.steps)]
    expected = 2 * len(batches) * flops_of_a_forward(task.model, batches)
    assert federation.executor.counter is not None
    assert federation.executor.counter.total == pytest.approx(expected, rel=0.02)


def test_what_was_counted_is_in_the_metrics_and_stays_there(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    words = ["outdir", str(folder.parent), "expname", "run", "eval.count_flops", "True"]
    assert main(["--cfg", str(tiny_yaml()), *words, "federate.total_round_num", "1"]) == 0
    (first,) = (json.loads(line)["flops"] for line in (folder / "metrics.jsonl").read_text().splitlines())
    assert main(["--resume", str(folder), "federate.total_round_num", "2"]) == 0
    found = [json.loads(line)["flops"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((folder / "summary.json").read_text())
    assert found[0] == first > 0 and summary["flops"] == sum(found) and len(found) == 2
    assert summary["forwards"] == summary["flops"] / summary["flops_of_a_forward"]
    assert "of a training example" in (folder / "run.log").read_text()


def test_nothing_is_said_where_nothing_is_counted(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    words = ["outdir", str(tmp_path), "expname", "run", "federate.total_round_num", "1"]
    assert main(["--cfg", str(tiny_yaml()), *words]) == 0
    assert (
        "flops"
        not in (tmp_path / "run" / "metrics.jsonl").read_text() + (tmp_path / "run" / "summary.json").read_text()
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("engine.type", "flower_simulation", "other processes are not counted"),
        ("train.compile", "True", "compiled layers are not counted"),
    ],
)
def test_what_cannot_be_counted_is_refused(key: str, value: str, told: str, tiny_yaml: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match=f"eval.count_flops = True\n.*{told}"):
        config.load(tiny_yaml(), ["eval.count_flops", "True", key, value])
