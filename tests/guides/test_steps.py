"""The guide to steps at any rate is followed: its command runs, and every kind of step is in its table."""

import json
import shlex
from pathlib import Path

import pytest

from fedmezo.ledger.ledger import Ledger
from fedmezo.main import main
from fedmezo.zeroth_order.steps import registry
from fedmezo.zeroth_order.steps.second_differences import CAUTION
from tests.guides.guide import Guide

GUIDE = Guide("steps.md")
SMALL = shlex.split(
    "model.type tiny-llama@random_llm federate.total_round_num 3 train.local_update_steps 5 engine.threads 1 "
    "data.num_examples 60 eval.max_examples 12 llm.tok_len 420 expname run"
)


def test_its_command_trains_with_nothing_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    GUIDE.begin(tmp_path, monkeypatch)
    (command,) = GUIDE.commands
    assert main([*command, *SMALL]) == 0
    losses = json.loads(Path("runs/run/summary.json").read_text(encoding="utf-8"))["losses"]["test"]
    assert losses["after"] < losses["before"]
    rounds = Ledger(Path("runs/run/ledger.bin")).rounds()
    assert {client.learning_rate for record in rounds for client in record.clients} == {CAUTION}


def test_its_table_has_every_kind() -> None:
    rows = GUIDE.text.partition("| `zo.normalise` |")[2].partition("\n\n")[0]
    assert all(f"| `{name}` |" in rows for name in registry.names())
