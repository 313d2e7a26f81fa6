"""Whole runs on the tiny model, through the command line's entry point."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.numpy import load_file
from yacs.config import CfgNode

from fedmezo import config, training
from fedmezo.assembly import LearningTask, assemble_federation
from fedmezo.core.text import when
from fedmezo.federation import strategies
from fedmezo.federation.evaluations import Evaluations
from fedmezo.federation.server import Server
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.main import main
from fedmezo.models.hubs import load_base_model
from fedmezo.replay import main as replay
from fedmezo.zeroth_order.scoring import token_losses
from tests.conftest import WORD_PROBLEMS

Write = Callable[..., Path]
GOLDEN = [5.695433, 5.648352, 5.592798, 5.591501, 5.579535, 5.544951]


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path

    def adapter(self, name: str = "adapter") -> dict[str, np.ndarray]:
        return load_file(self.folder / name / "adapter_model.safetensors")

    def adapter_bytes(self) -> bytes:
        return (self.folder / "adapter" / "adapter_model.safetensors").read_bytes()

    def rows(self, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]

    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.bin")

    def ledger_bytes(self) -> bytes:
        return (self.folder / "ledger.bin").read_bytes()

    def timeless(self) -> list[dict[str, Any]]:
        rows = self.rows()
        for row in rows:
            del row["seconds"], row["peak_memory_mib"]
            for client in row["clients"]:
                del client["seconds"]
        return rows

    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "summary.json").read_text(encoding="utf-8")))


def train(path: Path, name: str, *overrides: str, code: int = 0) -> Run:
    assert main(["--cfg", str(path), "expname", name, *overrides]) == code
    return Run(path.parent / "runs" / name)


def resume(run: Run, *overrides: str, code: int = 0) -> Run:
    assert main(["--resume", str(run.folder), *overrides]) == code
    return run


def same(first: Run, second: Run) -> bool:
    return (
        first.adapter_bytes() == second.adapter_bytes()
        and first.timeless() == second.timeless()
        and first.ledger_bytes() == second.ledger_bytes()
    )


def test_a_runs_folder(tiny_yaml: Write) -> None:
    run = train(tiny_yaml(), "one")
    present = {path.name for path in run.folder.iterdir()}
    assert present == {
        "config.yaml", "environment.json", "partition.json", "metrics.jsonl", "ledger.bin", "evaluations.jsonl",
        "snapshots", ".lock", "run.log", "adapter", "adapter_best", "summary.json", "loss.png", "partition.png",
    }  # fmt: skip
    rows = run.rows()
    assert [row["round"] for row in rows] == [0, 1, 2, 3]
    assert ["val_loss" in row for row in rows] == ["test_loss" in row for row in rows] == [False, True, False, True]
    for row in rows:
        assert row["seconds"] > 0 and row["peak_memory_mib"] > 50 and row["train_loss"] > 0
        assert [client["client"] for client in row["clients"]] == [0, 1, 2]
        for client in row["clients"]:
            assert client["samples"] == 4 and client["learning_rate"] == 0.01 and client["loss"] > 0
            missed = 0 if row["round"] == 0 else 2 + 3 * (11 + 8)
            assert client["bytes_up"] == 34 + 8 and client["bytes_down"] == 34 + missed
    assert run.summary()["bytes_up"] == 4 * 3 * 42


def test_golden_losses(tiny_yaml: Write) -> None:
    """The numbers of the whole chain: data, tokens, model, directions, steps, averaging, evaluation."""
    run = train(tiny_yaml(data=WORD_PROBLEMS), "golden")
    found = [row["train_loss"] for row in run.rows()] + [run.rows()[-1]["val_loss"], run.rows()[-1]["test_loss"]]
    assert found == pytest.approx(GOLDEN, abs=2e-5)


def test_the_loss_falls_with_both_trainers(tiny_yaml: Write) -> None:
    longer = ("federate.total_round_num", "12", "train.local_update_steps", "5", "eval.freq", "12")
    for trainer, rate in (("mezotrainer", "0.05"), ("llmtrainer", "0.3")):
        run = train(tiny_yaml(), trainer, "trainer.type", trainer, "train.optimizer.lr", rate, *longer)
        change = run.summary()["losses"]["test"]
        assert change["change"] < -5 * change["standard_error"], trainer


def test_same_seed_same_run_and_another_seed_another(tiny_yaml: Write, tiny_run: Path) -> None:
    first = Run(tiny_run)
    assert same(first, train(tiny_yaml(), "again"))
    other = train(tiny_yaml(), "other", "seed", "1")
    assert other.adapter_bytes() != first.adapter_bytes() and other.timeless() != first.timeless()


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_two_runs_on_as_many_threads_are_the_same(tiny_yaml: Write, trainer: str) -> None:
    """Other numbers of threads may sum in another order: on some processors the backward pass does."""
    few = ("federate.client_num", "1", "train.local_update_steps", "1", "eval.max_examples", "1")
    chosen = ("engine.threads", "2", "trainer.type", trainer, "federate.total_round_num", "1", *few)
    runs = [train(tiny_yaml(), name, *chosen) for name in ("one", "two")]
    assert same(*runs)


def test_threads_do_not_change_what_scalars_lead_to(tiny_yaml: Write, tiny_run: Path, tiny_task: LearningTask) -> None:
    run = Run(tiny_run)
    shutil.rmtree(run.folder / "snapshots")
    torch.set_num_threads(2)
    server = assemble_federation(config.load(tiny_yaml()), tiny_task).server
    server.restore(Store(run.ledger(), Snapshots(run.folder / "snapshots"), 0))
    saved = np.concatenate([tensor.reshape(-1) for _, tensor in sorted(run.adapter().items())])
    assert server.rounds_done == 4
    assert server.parameters.numpy().tobytes() == saved.tobytes()


def test_peft_loads_the_adapter_and_finds_the_reported_loss(tiny_run: Path, tiny_task: LearningTask) -> None:
    run = Run(tiny_run)
    base = load_base_model("tiny-llama@random_llm", dtype=torch.float32, cache=Path())
    model = PeftModel.from_pretrained(base.model, str(run.folder / "adapter")).eval()
    examples = tiny_task.data.partition.union("test")
    with torch.inference_mode():
        losses, _ = token_losses(model, tiny_task.collate(examples))
    assert losses.double().mean().item() == pytest.approx(run.summary()["losses"]["test"]["after"], abs=1e-6)


@pytest.mark.covering(1)
@pytest.mark.parametrize("trainer", sorted(training.registry.names()))
@pytest.mark.parametrize("strategy", sorted(strategies.registry.names()))
def test_every_strategy_resumes_to_the_same_bits(tiny_yaml: Write, trainer: str, strategy: str) -> None:
    path = tiny_yaml(train={"train_strategy": strategy, "lr_half_width": 0.005, "local_update_steps": 1})
    whole = train(path, "whole", "trainer.type", trainer, "federate.total_round_num", "6")
    part = train(path, "part", "trainer.type", trainer, "federate.total_round_num", "4")
    assert same(whole, resume(part, "federate.total_round_num", "6"))


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_a_run_stopped_in_the_middle_of_a_round_goes_on(
    tiny_yaml: Write, trainer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = ("trainer.type", trainer, "train.optimizer.weight_decay", "0.1")
    whole = train(tiny_yaml(), "whole", *choice)
    aggregate = Server.aggregate

    def stopped(self: Server, plan: Any, results: Any) -> Any:
        if plan.round_index == 2:
            next(iter(results))
            raise KeyboardInterrupt
        return aggregate(self, plan, results)

    monkeypatch.setattr(Server, "aggregate", stopped)
    part = train(tiny_yaml(), "part", *choice, code=130)
    assert [row["round"] for row in part.rows()] == [0, 1]
    assert part.summary()["outcome"] == "interrupted" and part.adapter()
    monkeypatch.undo()
    assert same(whole, resume(part))


def test_a_run_stopped_between_round_and_evaluation_goes_on(
    tiny_yaml: Write, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Evaluations.run

    def stopped(self: Evaluations, rounds_done: int, parameters: torch.Tensor) -> Any:
        if rounds_done == 2:
            raise KeyboardInterrupt
        return evaluate(self, rounds_done, parameters)

    monkeypatch.setattr(Evaluations, "run", stopped)
    part = train(tiny_yaml(), "part", code=130)
    monkeypatch.undo()
    assert same(Run(tiny_run), resume(part))


def test_a_finished_run_resumed_changes_nothing(tiny_run: Path) -> None:
    run = Run(tiny_run)
    before = run.adapter_bytes(), run.rows(), run.ledger_bytes()
    resume(run)
    assert before == (run.adapter_bytes(), run.rows(), run.ledger_bytes())


def test_resume_refuses_what_would_change_the_past(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tiny_run)
    resume(run, "train.optimizer.lr", "0.5", code=2)
    assert "train.optimizer.lr" in capsys.readouterr().err
    resume(Run(run.folder.parent / "nowhere"), code=3)
    assert "no run in this folder" in capsys.readouterr().err


def test_nothing_is_overwritten(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_yaml(), "taken", "federate.total_round_num", "1")
    before = run.adapter_bytes()
    train(tiny_yaml(), "taken", code=2)
    assert "fedmezo resume" in capsys.readouterr().err and run.adapter_bytes() == before
    for _ in range(2):
        assert main(["--cfg", str(tiny_yaml()), "federate.total_round_num", "1"]) == 0
    assert {"tiny", "tiny-2"} <= {path.name for path in run.folder.parent.iterdir()}


def test_early_stopping(tiny_yaml: Write) -> None:
    up = ("train.optimizer.lr", "3000", "early_stop.patience", "2", "eval.freq", "1", "federate.total_round_num", "9")
    run = train(tiny_yaml(data=WORD_PROBLEMS), "run", *up)
    summary = run.summary()
    assert summary["outcome"] == "stopped early"
    assert summary["rounds"] == summary["best"]["rounds_done"] + 2 < 9


def test_the_best_model_is_kept(tiny_yaml: Write) -> None:
    run = train(tiny_yaml(), "run", "train.optimizer.lr", "40", "eval.freq", "1")
    losses = [record.losses["val"] for record in run.ledger().evaluations()]
    assert run.summary()["best"]["rounds_done"] == losses.index(min(losses)) < 4
    best, last = run.adapter("adapter_best"), run.adapter()
    assert any(not np.array_equal(best[name], last[name]) for name in best)


def test_the_best_model_may_be_the_most_accurate(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    by = ("eval.best_res_update_round_wise_key", "val_accuracy")
    run = train(tiny_yaml(), "run", "train.optimizer.lr", "40", "eval.freq", "1", *by)
    shares = [record.value("val", "accuracy") for record in run.ledger().evaluations()]
    losses = [record.losses["val"] for record in run.ledger().evaluations()]
    best = shares.index(max(shares))
    assert run.summary()["best"]["rounds_done"] == best != losses.index(min(losses))
    assert replay([str(run.folder), "--verify", "--round", "best"]) == 0
    assert when(best) in capsys.readouterr().out


def test_restore_from_an_adapter_and_save_to_a_folder(tiny_yaml: Write, tmp_path: Path) -> None:
    first = train(tiny_yaml(), "first", "federate.save_to", str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "adapter_model.safetensors").read_bytes() == first.adapter_bytes()
    second = train(tiny_yaml(), "second", "federate.restore_from", str(tmp_path / "copy"))
    assert second.summary()["losses"]["test"]["before"] == first.summary()["losses"]["test"]["after"]


def test_partial_participation(tiny_yaml: Write) -> None:
    run = train(tiny_yaml(), "run", "federate.client_num", "5", "federate.sample_client_num", "2")
    taking_part = [tuple(client["client"] for client in row["clients"]) for row in run.rows()]
    assert all(len(row) == 2 for row in taking_part) and len(set(taking_part)) > 1


def test_all_parameters(tiny_yaml: Write) -> None:
    whole = train(tiny_yaml(), "whole", "llm.adapter.use", "False", "train.optimizer.lr", "0.001")
    assert (whole.folder / "adapter" / "model.safetensors").exists()
    summary = whole.summary()["losses"]["test"]
    assert summary["after"] != summary["before"]


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_divergence_ends_with_4_and_keeps_what_was_done(
    tiny_yaml: Write, trainer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = ("train.optimizer.lr", "1e30", "trainer.type", trainer, "llm.max_nonfinite", "3")
    run = train(tiny_yaml(), "run", *wild, "federate.total_round_num", "20", code=4)
    error = capsys.readouterr().err
    assert "llm.max_nonfinite = 3" in error and "Traceback" not in error
    rows = run.rows()
    assert 0 < len(rows) < 20 and sum(client["nonfinite"] for row in rows for client in row["clients"]) > 3
    assert run.summary()["outcome"] == "diverged"
    for client in (client for record in run.ledger().rounds() for client in record.clients):
        assert (client.gradients is not None) is (trainer == "mezotrainer")
        if client.gradients is not None:
            assert (client.failed is not None) is (client.nonfinite > 0)
            assert client.failed is None or not client.gradients[client.failed].any()
    resume(run, "federate.total_round_num", "20", code=4)


def test_a_failing_client_ends_with_5_and_is_named(
    tiny_yaml: Write, tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loss = LearningTask.collate

    def broken(self: LearningTask, indices: Any) -> Any:
        if len(indices) == 2 and set(indices.tolist()) <= set(self.data.partition.clients[1].train.tolist()):
            broken.calls += 1  # type: ignore[attr-defined]
            if broken.calls > 3:  # type: ignore[attr-defined]
                raise RuntimeError("the disk is on fire")
        return loss(self, indices)

    broken.calls = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(LearningTask, "collate", broken)
    part = train(tiny_yaml(), "part", code=5)
    error = capsys.readouterr().err
    assert "round 1, client 1" in error and "the disk is on fire" in error and "Traceback" not in error
    log = (part.folder / "run.log").read_text(encoding="utf-8")
    assert "Traceback" in log and "RuntimeError: the disk is on fire" in log and "ClientError: round 1" in log
    monkeypatch.undo()
    assert same(Run(tiny_run), resume(part))


def test_check_trains_nothing_and_says_what_would_be(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str], tiny_cfg: CfgNode
) -> None:
    assert main(["--cfg", str(tiny_yaml()), "--check", "--fidelity", "20"]) == 0
    out = capsys.readouterr().out
    for part in (
        "client  train",
        "896 of them trained, in 8 tensors",
        "42 up, 93 down",
        "MiB at the peak",
        "fidelity: 1.000",
    ):
        assert part in out
    assert not Path(tiny_cfg.outdir).exists()


def test_help_and_mistakes_on_the_command_line(capsys: pytest.CaptureFixture[str], tiny_yaml: Write) -> None:
    assert main([]) == 2
    assert "give --cfg FILE" in capsys.readouterr().err
    assert main(["--help-config", "zo.mu"]) == 0
    assert "zo.mu" in capsys.readouterr().out
    assert main(["--help-config", "zo.nu"]) == 2
    assert "zo.mu" in capsys.readouterr().err
    assert main(["--cfg", str(tiny_yaml()), "--fidelity", "5"]) == 2
    assert main(["--cfg", str(tiny_yaml()), "zo.mu", "0", "modle.type", "x"]) == 2
    error = capsys.readouterr().err
    assert "2 mistakes" in error and "zo.mu = 0" in error and "model.type" in error


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.type", "no-such/model@huggingface_llm"], ["no-such/model", "SmolLM2-135M-Instruct@package_llm"]),
        (["data.type", "gsm8k@llm", "data.root", "nowhere"], ["gsm8k_train.jsonl", "arithmetic@llm"]),
        (["data.type", "missing.jsonl"], ["missing.jsonl"]),
    ],
)
def test_what_cannot_be_had_ends_with_3_and_leaves_nothing(
    tiny_yaml: Write,
    overrides: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tiny_yaml()
    assert main(["--cfg", str(path), *overrides]) == 3
    error = capsys.readouterr().err
    assert all(word in error for word in words) and "Traceback" not in error
    assert not (path.parent / "runs").exists()


@pytest.mark.parametrize("shared", [True, False], ids=["LoRA", "DoRA"])
def test_half_precision_warns_where_it_is_noisy_and_runs(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str], shared: bool
) -> None:
    adapter = ("llm.adapter.args", f"[{{adapter_method: lora, r: 4, use_dora: {not shared}}}]")
    run = train(tiny_yaml(), "run", "train.is_enable_half", "True", "federate.total_round_num", "1", *adapter)
    shown = capsys.readouterr().err
    assert "bfloat16" in shown and ("half precision adds rounding noise" in shown) is not shared
    assert all(tensor.dtype == np.float32 for tensor in run.adapter().values())
