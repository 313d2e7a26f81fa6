"""The algorithm on one page gives the bits of the framework's own run."""

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import fedmezo
from examples.fedmezo_in_100_lines import fedmezo_rounds
from fedmezo.assembly import assemble_learning_task
from fedmezo.models.hashing import point_hash
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "examples" / "fedmezo_in_100_lines.py"
Write = Callable[..., Path]


@pytest.mark.parametrize(
    "changes",
    [{}, {"federate.client_num": 5, "federate.sample_client_num": 2}, {"train.optimizer.weight_decay": 0.1, "seed": 3}],
    ids=["all clients", "two of five", "weight decay"],
)
def test_it_gives_the_bits_of_the_framework(tiny_yaml: Write, changes: dict[str, float]) -> None:
    path = tiny_yaml(verbose=0, federate={"client_num": 3, "total_round_num": 3, "hash_freq": 1})
    cfg = fedmezo.load_config(path, changes)
    own = list(fedmezo_rounds(cfg, assemble_learning_task(cfg)))
    run = fedmezo.run(path, {**changes, "expname": "whole"})
    assert torch.equal(own[-1][0], run.model().parameters)
    assert {number: point_hash(theta) for number, (theta, _) in enumerate(own, start=1)} == run.ledger.hashes()
    assert [loss for _, loss in own] == [record["train_loss"] for record in run.metrics]


def test_it_is_run_as_a_script(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml(verbose=0, federate={"client_num": 3, "total_round_num": 2, "hash_freq": 1})
    monkeypatch.setattr(sys, "argv", [str(PAGE), str(path)])
    runpy.run_path(str(PAGE), run_name="__main__")
    said = capsys.readouterr().out
    run = fedmezo.run(path, {"expname": "whole"})
    hashes = run.ledger.hashes()
    assert said.splitlines() == [
        f"train loss {row['train_loss']:.4f}, parameters {hashes[number].hex()}"
        for number, row in enumerate(run.metrics, start=1)
    ]


def test_it_has_about_100_lines() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 125
    code = re.sub(r'"""[\s\S]*?"""', "", text)  # without docstrings, which are the paper's pseudo-code
    assert len([line for line in code.splitlines() if line.strip()]) <= 80
