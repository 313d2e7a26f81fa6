"""scripts/sweep.py: trials are runs, and a sweep that stopped goes on as it would have."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fedmezo.commands.experiments.sweeps.program import main
from tests.conftest import REPOSITORY, TINY

RATE = "train.optimizer.lr"


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of three trials of a second each."""
    tiny = TINY | {"federate": {"client_num": 2, "total_round_num": 1}, "eval": {"freq": 1}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(tiny))
    tree = {
        "cfg": "base.yaml",
        "sampler": "tpe",
        "trials": 3,
        "space": {RATE: {"low": 0.001, "high": 0.1, "log": True}},
    }
    path = tmp_path / "rates.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.full
def test_a_sweep_that_stopped_goes_on_to_the_same_table(sweep: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main([str(sweep), "--out", str(whole), "--workers", "1"]) == 0
    found = rows(whole)
    assert [row["trial"] for row in sorted(found, key=lambda row: float(row["test_loss"]))] == [
        row["trial"] for row in found
    ]
    assert len({row[RATE] for row in found}) == 3
    page = (whole / "README.md").read_text()
    assert f"seed 0 {RATE} {float(found[0][RATE])} engine.threads 1`" in page

    tree = yaml.safe_load(sweep.read_text())
    sweep.write_text(yaml.safe_dump(tree | {"trials": 2}))
    assert main([str(sweep), "--out", str(cut), "--workers", "1"]) == 0
    sweep.write_text(yaml.safe_dump(tree))
    assert main([str(sweep), "--out", str(cut), "--workers", "1"]) == 2  # without --resume
    assert len(rows(cut)) == 2
    assert main([str(sweep), "--out", str(cut), "--workers", "1", "--resume"]) == 0
    assert rows(cut) == found


@pytest.mark.full
def test_another_space_is_refused(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([str(sweep), "--out", str(out), "--workers", "1"]) == 0
    tree = yaml.safe_load(sweep.read_text())
    sweep.write_text(yaml.safe_dump(tree | {"space": {RATE: {"low": 0.2, "high": 0.3}}}))
    assert main([str(sweep), "--out", str(out), "--resume"]) == 2
    assert "which the space has not" in capsys.readouterr().err


@pytest.mark.integration
def test_trials_are_of_one_configuration(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([str(sweep), "--out", str(out), "--", RATE, "0.5"]) == 2
    assert f"command line  {RATE}\n      the runs differ in it" in capsys.readouterr().err and not out.exists()
    tree = yaml.safe_load(sweep.read_text()) | {"trials": 1}
    sweep.write_text(yaml.safe_dump(tree))
    assert main([str(sweep), "--out", str(out), "--workers", "1"]) == 0
    assert main([str(sweep), "--out", str(out), "--resume", "--", "zo.mu", "0.5"]) == 2
    assert "zo.mu = 0.005\n      this run was made so, and now it is 0.5" in capsys.readouterr().err
    sweep.write_text(yaml.safe_dump(tree | {"set": {"train.local_update_steps": 4}}))
    assert main([str(sweep), "--out", str(out), "--resume"]) == 2
    assert "train.local_update_steps" in capsys.readouterr().err


@pytest.mark.integration
def test_failed_trials_are_told_and_not_run_again(
    sweep: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A rate at which the run diverges."""
    tree = yaml.safe_load(sweep.read_text())
    tree |= {"sampler": "grid", "space": {RATE: [0.01, 1.0e30]}, "set": {"federate.total_round_num": 3}}
    tree.pop("trials")
    sweep.write_text(yaml.safe_dump(tree))
    out = tmp_path / "out"
    assert main([str(sweep), "--out", str(out), "--workers", "1"]) == 0
    assert [row["test_loss"] for row in rows(out)][1] == "failed"
    assert "1 trials have no test_loss" in capfd.readouterr().err
    assert main([str(sweep), "--out", str(out), "--resume"]) == 0
    assert "2 trials, 0 of them to do" in capfd.readouterr().out


def test_the_script_tells_mistakes_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/sweep.py", str(tmp_path / "no.yaml")]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2 and "no such file" in found.stderr and "Traceback" not in found.stderr
