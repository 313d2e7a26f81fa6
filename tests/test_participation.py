"""Late, partial and hostile clients in whole runs, and runs that repeat who took part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from fedmezo.federation.engines.local import LocalEngine
from fedmezo.federation.messages import Message, Plan, Reply, pack_answer, unpack_answer
from fedmezo.main import main
from fedmezo.replay import main as replay
from fedmezo.training import LocalUpdate
from tests.federation.engines.alone import replies
from tests.test_main import Run, same, train

Write = Callable[..., Path]
Change = Callable[[Reply, LocalUpdate], Message | None]


@dataclass(frozen=True)
class Tampering:
    """An engine whose clients' answers are changed, or lost, on the way."""

    change: Change

    def __call__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run, change = LocalEngine.run, self.change

        def tampered(engine: LocalEngine, plan: Plan, parameters: Tensor) -> Iterator[Reply]:
            for reply in replies(run(engine, plan, parameters)):
                message = change(reply, unpack_answer(reply.message).update)
                if message is not None:
                    yield replace(reply, message=message)

        monkeypatch.setattr(LocalEngine, "run", tampered)


def answer(reply: Reply, update: LocalUpdate, **changes: Any) -> Message:
    name = unpack_answer(reply.message).identity
    return pack_answer(
        changes.pop("name", name), replace(reply.task, **changes.pop("task", {})), replace(update, **changes)
    )


def odd(reply: Reply, update: LocalUpdate) -> Message | None:
    """Answers of all kinds: honest ones, prefixes, lost ones, and hostile ones."""
    assert update.gradients is not None
    spoilt = update.gradients.copy()
    spoilt[0] = np.nan
    match (reply.task.round_index, reply.task.client):
        case (0, 1):
            return answer(reply, update, gradients=spoilt)
        case (1, 0):
            return answer(reply, update, gradients=update.gradients[:2], examples=4)
        case (1, 2):
            return None
        case (2, 2):
            return answer(reply, update, gradients=update.gradients * np.float32(1e9))
        case (2, 0):
            return answer(reply, update, task={"round_index": 1})
        case (3, 1):
            return answer(reply, update, name=b"anothers")
        case (3, 0):
            return Message(b"garbage")
    return reply.message


LONGER = ("train.local_update_steps", "4")


def participation(run: Run) -> list[dict[int, int]]:
    return [
        {row.client: 0 if row.gradients is None else len(row.gradients) for row in record.clients}
        for record in run.ledger().rounds()
    ]


@pytest.mark.parametrize("strategy", ["frozen", "model-diff", "round-wise"])
def test_a_round_goes_on_with_the_others_and_a_clean_run_repeats_it(
    tiny_yaml: Write, strategy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml(train={"train_strategy": strategy, "lr_half_width": 0.005, "local_update_steps": 4})
    with monkeypatch.context() as patch:
        Tampering(odd)(patch)
        run = train(path, "run")
    told = capsys.readouterr()
    assert "round 0: the answer of client 1 has a value that is not finite; it does not count" in told.err
    assert "answers not taken" in told.out and run.summary()["rejected"] == 5
    assert participation(run) == [{0: 4, 2: 4}, {0: 2, 1: 4}, {1: 4}, {2: 4}]
    rejected = [[(row["client"], row["reason"]) for row in line["rejected"]] for line in run.rows()]
    assert rejected == [
        [(1, "a value that is not finite")],
        [],
        [(0, "of another round"), (2, "a value beyond federate.gradient_bound")],
        [(0, "malformed"), (1, "of another configuration, model or starting point")],
    ]
    clean = train(path, "clean", "federate.participation", str(run.folder))
    assert clean.adapter_bytes() == run.adapter_bytes() and participation(clean) == participation(run)
    assert clean.rows()[0]["clients"][0]["loss"] == run.rows()[0]["clients"][0]["loss"]


def test_a_round_in_which_nobody_counts_changes_nothing(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        Tampering(lambda reply, update: Message(b"") if reply.task.round_index == 1 else reply.message)(patch)
        run = train(tiny_yaml(), "run", "eval.freq", "1", "federate.min_results", "0")
    assert [len(record.clients) for record in run.ledger().rounds()] == [3, 0, 3, 3]
    losses = [record.losses for record in run.ledger().evaluations()]
    assert losses[1] == losses[2] != losses[3]
    clean = train(tiny_yaml(), "clean", "eval.freq", "1", "federate.participation", str(run.folder))
    assert clean.adapter_bytes() == run.adapter_bytes()


def test_a_client_that_answers_twice_counts_once(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, run = train(tiny_yaml(), "plain"), LocalEngine.run

    def twice(engine: LocalEngine, plan: Plan, parameters: Tensor) -> Iterator[Reply]:
        for reply in replies(run(engine, plan, parameters)):
            yield reply
            yield reply

    monkeypatch.setattr(LocalEngine, "run", twice)
    assert same(plain, train(tiny_yaml(), "twice"))
    assert "client 1 has answered already" in capsys.readouterr().err


def test_a_repeated_run_does_without_its_source_once_it_has_run(tiny_yaml: Write) -> None:
    source = train(tiny_yaml(), "source")
    run = train(tiny_yaml(), "run", "federate.participation", str(source.folder))
    assert main(["--resume", str(source.folder), "federate.total_round_num", "5"]) == 0
    assert replay([str(run.folder), "--verify"]) == 0
    moved = source.folder.rename(source.folder.with_name("moved"))
    assert replay([str(run.folder), "--verify"]) == 0
    assert main(["--resume", str(run.folder), "federate.participation", str(moved)]) == 0


SHORT = """
import dataclasses
from fedmezo.training import register
from fedmezo.training.mezo import MezoTrainer

@register("short")
class Short(MezoTrainer):
    def train(self, start, work):
        update = super().train(start, work)
        return dataclasses.replace(update, gradients=update.gradients[:1], examples=2)
"""


def test_a_trainer_may_stop_after_some_of_its_steps(tiny_yaml: Write, tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text(SHORT, encoding="utf-8")
    extension = ("extensions", f"[{tmp_path / 'short.py'}]", "trainer.type", "short")
    run = train(tiny_yaml(), "run", *extension, "federate.total_round_num", "1")
    assert participation(run) == [{0: 1, 1: 1, 2: 1}]


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_a_sampled_participation_is_repeated_with_weights_too(tiny_yaml: Write, trainer: str) -> None:
    sampled = ("federate.client_num", "5", "federate.sample_client_num", "2", "federate.transport", "weights")
    run = train(tiny_yaml(), "run", "trainer.type", trainer, *sampled)
    again = train(
        tiny_yaml(), "again", "trainer.type", trainer, "federate.client_num", "5", "federate.transport", "weights",
        "federate.participation", str(run.folder / "ledger.bin"),
    )  # fmt: skip
    assert again.adapter_bytes() == run.adapter_bytes() and again.timeless() == run.timeless()


def test_a_repeated_participation_is_checked(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tiny_yaml(), "run")
    repeat = ("federate.participation", str(run.folder))
    for overrides, words in (
        (("federate.total_round_num", "5"), "it records 4 rounds"),
        (("federate.client_num", "2"), "it records client 2"),
        (("federate.sample_client_num", "2"), "has no say where federate.participation"),
        (("federate.participation", "runs/nowhere"), "no ledger is there"),
        (("federate.participation", str(run.folder / "config.yaml")), "no ledger, or its first bytes are damaged"),
        (("train.local_update_steps", "1"), "took 2 steps in a round"),
    ):
        train(tiny_yaml(), "again", *repeat, *overrides, code=2)
        assert words in (error := capsys.readouterr().err) and "Traceback" not in error
    data = bytearray((run.folder / "ledger.bin").read_bytes())
    data[-1] ^= 1
    (run.folder / "ledger.bin").write_bytes(data)
    train(tiny_yaml(), "again", *repeat, code=2)
    assert "damaged from byte" in capsys.readouterr().err


def test_weights_and_scalars_lead_to_the_same_model_up_to_rounding(tiny_yaml: Write) -> None:
    scalars = train(tiny_yaml(), "scalars", *LONGER, "federate.total_round_num", "1")
    weights = train(tiny_yaml(), "weights", *LONGER, "federate.total_round_num", "1", "federate.transport", "weights")
    for name, tensor in scalars.adapter().items():
        np.testing.assert_allclose(weights.adapter()[name], tensor, rtol=0, atol=3e-8)
    up = [row["clients"][0]["bytes_up"] for run in (scalars, weights) for row in run.rows()]
    assert up == [34 + 16, 34 + 4 * 896]
    assert (weights.folder / "snapshots" / "000001.safetensors").exists()
    assert main(["--resume", str(weights.folder)]) == 0


def test_scalars_where_there_are_none_are_refused(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    train(tiny_yaml(), "run", "trainer.type", "llmtrainer", "federate.transport", "scalars", code=2)
    assert "has weights to send, no scalars" in capsys.readouterr().err


def test_runs_with_weights_resume_to_the_same_bits(tiny_yaml: Write) -> None:
    path = tiny_yaml(federate={"client_num": 3, "total_round_num": 4, "transport": "weights"})
    whole = train(path, "whole", "federate.total_round_num", "6")
    part = train(path, "part")
    assert main(["--resume", str(part.folder), "federate.total_round_num", "6"]) == 0
    assert same(whole, part)
