"""Signals from outside: the round is finished, everything saved, and the run goes on to the same result."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.main import main
from tests.programs import Program

ROUNDS = "6"


def command(path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "fedmezo.main", "--cfg", str(path), "federate.total_round_num", ROUNDS, *arguments]


def wait_for(line: str, file: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while line not in (file.read_text(encoding="utf-8") if file.exists() else ""):
        assert time.monotonic() < deadline, f"no {line} in {file}"
        time.sleep(0.02)


@pytest.mark.integration
def test_a_scheduler_s_warning_finishes_the_round_and_resume_gives_the_same(tiny_yaml: Callable[..., Path]) -> None:
    path = tiny_yaml(train={"local_update_steps": 10})
    runs = path.parent / "runs"
    log = path.with_suffix(".log")
    process = Program(command(path, "expname", "part")[2:], log, dict(os.environ), ignored=[signal.SIGHUP])
    wait_for('"round": 0', runs / "part" / "metrics.jsonl")
    process.send_signal(signal.SIGHUP)  # ignored from the start, as under nohup
    wait_for('"round": 1', runs / "part" / "metrics.jsonl")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=120) == 130
    error = log.read_text(encoding="utf-8")
    assert "finishing this round" in error and f"fedmezo resume {runs / 'part'}" in error and "Traceback" not in error
    rounds = [json.loads(line)["round"] for line in (runs / "part" / "metrics.jsonl").read_text().splitlines()]
    assert rounds == list(range(len(rounds))) and 1 <= len(rounds) < int(ROUNDS)
    assert (runs / "part" / "adapter" / "adapter_model.safetensors").exists()

    assert main(["--resume", str(runs / "part")]) == 0
    assert main(command(path, "expname", "whole")[3:]) == 0
    files = ("adapter/adapter_model.safetensors", "ledger.bin")
    for name in files:
        assert (runs / "part" / name).read_bytes() == (runs / "whole" / name).read_bytes(), name


@pytest.mark.integration
def test_killed_at_once_loses_no_finished_round(tiny_yaml: Callable[..., Path]) -> None:
    path = tiny_yaml(train={"local_update_steps": 10})
    runs = path.parent / "runs"
    process = Program(command(path, "expname", "part")[2:], path.with_suffix(".log"), dict(os.environ))
    wait_for('"round": 1', runs / "part" / "metrics.jsonl")
    process.kill()
    process.wait(timeout=60)
    assert main(["--resume", str(runs / "part")]) == 0
    assert main(command(path, "expname", "whole")[3:]) == 0
    name = "adapter/adapter_model.safetensors"
    assert (runs / "part" / name).read_bytes() == (runs / "whole" / name).read_bytes()
