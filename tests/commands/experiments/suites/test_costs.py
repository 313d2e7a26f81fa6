"""What runs have spent until they were evaluated, and what a suite has changed of the published settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedmezo.commands.experiments.suites.jobs import Job
from fedmezo.commands.experiments.suites.protocol import changes
from fedmezo.commands.experiments.suites.results import COSTS, Finished
from fedmezo.commands.experiments.suites.suite import Arm, load
from fedmezo.main import main

ROUNDS, CLIENTS, STEPS, BATCH = 2, 3, 2, 2


def finished(path: Path, folder: Path, *overrides: str) -> Finished:
    words = ["federate.total_round_num", str(ROUNDS), "eval.freq", "1", "outdir", str(folder), "expname", "run"]
    assert main(["--cfg", str(path), *words, *overrides]) == 0
    return Finished(Job(Arm({"a": "x"}, path, {}), 1, folder / "run"))


@pytest.mark.parametrize(
    ("overrides", "forwards"),
    [
        ([], 2),
        (["zo.estimator", "one-sided", "zo.queries", "5"], 6),
        (["zo.normalise", "curvature", "zo.queries", "4"], 8.5),  # 9 in the first of two steps, 8 in the other
        (["zo.blocks", "2", "zo.queries", "2", "zo.estimator", "one-sided"], 1 + 1 + 0.5),
        (["zo.blocks", "2", "zo.queries", "2"], 1 + 2 * (1 + 0.5)),
        (["trainer.type", "llmtrainer", "federate.transport", "weights"], 3),
    ],
    ids=["two points", "one and five", "a point more at first", "blocks", "both sides in blocks", "a backward is two"],
)
def test_forwards_and_bytes_are_those_of_all_clients_until_then(
    overrides: list[str], forwards: float, tiny_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    run = finished(tiny_yaml(), tmp_path, *overrides)
    a_round = CLIENTS * STEPS * BATCH * forwards
    assert run.spent("forwards") == {0: 0, 1: a_round, 2: 2 * a_round} and run.measure("forwards") == 2 * a_round
    total = run.summary["bytes_up"] + run.summary["bytes_down"]
    assert run.spent("bytes")[ROUNDS] == total == CLIENTS * run.measure("bytes_of_a_client") > 0
    assert run.spent("bytes")[0] == 0 and COSTS.keys() == {"forwards", "bytes", "client_seconds"}


def test_forwards_that_were_counted_are_taken_instead(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    run = finished(tiny_yaml(), tmp_path, "eval.count_flops", "True")
    spent = run.spent("forwards")
    assert spent[2] == pytest.approx(run.summary["forwards"])
    assert spent[1] == run.metrics[0]["flops"] / run.summary["flops_of_a_forward"]
    assert spent[2] == pytest.approx(ROUNDS * CLIENTS * STEPS * BATCH * 2, rel=0.3)  # batches are padded


def test_at_the_budget_all_is_on_the_line_between_two_evaluations(
    tiny_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    run = finished(tiny_yaml(), tmp_path)
    a_round, losses, sent = CLIENTS * STEPS * BATCH * 2, dict(run.curve("test_loss")), run.spent("bytes")
    halfway = ((losses[1] + losses[2]) / 2, (sent[1] + sent[2]) / 2)
    for spent, (loss, sent_then) in (
        (a_round, (losses[1], sent[1])),
        (1.5 * a_round, halfway),
        (9 * a_round, (losses[2], sent[2])),
    ):
        read = Finished(replace(run.job, arm=replace(run.job.arm, budget=spent)))
        assert read.measure("after") == pytest.approx(loss)
        assert read.measure("drop") == pytest.approx(losses[0] - loss)
        assert read.measure("forwards") == min(spent, 2 * a_round)
        assert read.measure("bytes") == pytest.approx(sent_then)


def test_accuracy_is_known_from_before_training_on(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    data = {"type": "opinions@llm", "splits": [0.9, 0.0, 0.1]}
    evaluated = {"split": ["test"], "best_res_update_round_wise_key": "test_loss"}
    run = finished(tiny_yaml(data=data, criterion={"type": "auto"}, eval=evaluated), tmp_path)
    curve = dict(run.curve("test_accuracy"))
    assert list(curve) == [0, 1, 2] == list(run.spent("bytes"))
    assert (run.measure("accuracy_before"), run.measure("accuracy")) == (curve[0], curve[2])
    baselines: dict[str, Any] = run.summary["baselines"]["test"]
    assert (run.measure("accuracy_before"), run.measure("majority")) == (baselines["zero_shot"], baselines["majority"])


def test_settings_that_were_changed_are_told_as_the_run_was_made(
    tiny_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    run = finished(tiny_yaml(), tmp_path / "runs", "zo.queries", "3")
    tree = {
        **{"title": "T", "items": ["table 1"], "y": "test_loss", "columns": ["drop"], "axes": {"a": {"x": None}}},
        "scales": {
            "cpu": {"cfg": run.job.arm.cfg.name},
            "paper": {"cfg": run.job.arm.cfg.name, "set": {"dataloader.batch_size": 32, "llm.adapter.use": False}},
        },
    }
    suite = run.job.arm.cfg.parent / "suite.yaml"
    suite.write_text(yaml.safe_dump(tree), encoding="utf-8")
    found = changes(load(suite, "cpu"), [run])
    lora = "{adapter_package: peft, adapter_method: lora, r: 4, lora_alpha: 16, lora_dropout: 0.0}"
    assert found is not None and found.arm == "x"
    assert {row[0].strip("`"): row[1:] for row in found.table[1]} == {
        "llm.adapter.use": ["false", "true"],
        "llm.adapter.args": ["none", f"[{lora}]"],
        "dataloader.batch_size": ["32", "2"],
        "federate.total_round_num": ["4", "2"],
        "zo.queries": ["1", "3"],
    }
    assert changes(load(suite, "cpu"), []) is None
