"""Runs that version 0.1.0 recorded go on, and are replayed and read, as what they were.

``stored_runs`` holds their folders after two rounds, and the metrics that version 0.1.0 itself had after four. They
were made by it from this configuration, with ``expname`` and the further keys of the table::

    model: {type: tiny-llama@random_llm}
    llm: {tok_len: 1024}
    data: {type: rows.jsonl, splits: [0.7, 0.1, 0.2], splitter: meta}
    federate: {client_num: 3, total_round_num: 2, save_freq: 1, hash_freq: 1}
    train: {local_update_steps: 2, optimizer: {lr: 1.0e-3}}
    eval: {freq: 1, split: [val, test], max_examples: 5}
    engine: {threads: 1}

=========== ==========================================================================================
scalars
epochs      train.batch_or_epoch epoch train.local_update_steps 1 dataloader.batch_size 16
weights     trainer.type llmtrainer
generated   data.type arithmetic@llm data.num_examples 120 data.steps 1 data.worked False data.splitter iid
=========== ==========================================================================================
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedmezo.config import schema
from fedmezo.config.key import Key
from fedmezo.config.tree import leaves
from fedmezo.config.types import Integer
from fedmezo.ledger.ledger import Ledger
from fedmezo.main import main
from fedmezo.replay import main as replay

STORED = Path(__file__).with_name("stored_runs")
NAMES = ("scalars", "epochs", "weights", "generated")
ROUNDING = 1e-4  # processors sum in orders of their own


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies a stored run, and says where its copy is."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(STORED / name, tmp_path / name))

    return copy


def go_on(run: Path) -> int:
    return main(["--resume", str(run), "-q", "data.root", str(STORED), "federate.total_round_num", "4"])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def told(row: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of metrics that a version must give again."""
    clients = {f"{key} of {each['client']}": each[key] for each in row["clients"] for key in ("loss", "samples")}
    return {key: row[key] for key in ("round", "train_loss", "val_loss", "test_loss")} | clients


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_run_goes_on_as_its_version_would_have(name: str, stored: Callable[[str], Path]) -> None:
    run = stored(name)
    assert go_on(run) == 0
    expected = rows(STORED / f"{name}.4_rounds.jsonl")
    assert [told(row) for row in rows(run / "metrics.jsonl")] == [
        pytest.approx(told(row), rel=ROUNDING) for row in expected
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_run_is_replayed(name: str, stored: Callable[[str], Path]) -> None:
    assert replay([str(stored(name)), "--verify"]) == 0


def test_a_key_that_comes_later_counts_in_a_stored_run_as_what_its_version_did(
    stored: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    later = Key("zo.later", 2, Integer(), "A key of a later version.", since="9.0", before=1)
    monkeypatch.setitem(schema.KEYS, later.name, later)
    monkeypatch.setitem(schema.DEFAULTS, later.name, later.default)
    run = stored("scalars")
    assert go_on(run) == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["zo"]["later"] == 1
    assert replay([str(run), "--verify"]) == 0

    new = ["--cfg", str(run / "config.yaml"), "-q", "data.root", str(STORED), "outdir", str(tmp_path)]
    new += ["federate.total_round_num", "1", "zo.later", "2"]
    assert main([*new, "expname", "new"]) == 0
    header = Ledger(tmp_path / "new" / "ledger.bin").header
    assert header is not None
    assert header.configuration["zo.later"] == 2


def test_a_key_that_comes_later_and_changes_a_run_is_told(
    stored: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    later = Key("zo.later", 2, Integer(), "A key of a later version.", since="9.0", before=1)
    monkeypatch.setitem(schema.KEYS, later.name, later)
    monkeypatch.setitem(schema.DEFAULTS, later.name, later.default)
    run = stored("scalars")
    text = (run / "config.yaml").read_text(encoding="utf-8").replace("\nzo:\n", "\nzo:\n  later: 2\n")
    (run / "config.yaml").write_text(text, encoding="utf-8")
    assert go_on(run) == 2
    assert "zo.later" in capsys.readouterr().err


def test_every_key_that_version_0_1_0_did_not_know_says_since_when_it_is_there() -> None:
    known = set(leaves(yaml.safe_load((STORED / "scalars" / "config.yaml").read_text(encoding="utf-8"))))
    assert {name for name, key in schema.KEYS.items() if not key.since} - {schema.BASE} == known
    assert all(key.before is not None for key in schema.KEYS.values() if key.since)
