"""Programs begin and end quietly: real processes, real signals, real pipes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.core.errors import ClientError, ConfigurationError, DivergedError, ResourceError
from fedmezo.core.process import BROKEN_PIPE, INTERRUPTED
from fedmezo.main import main

MAIN = [sys.executable, "-m", "fedmezo.main"]


@pytest.fixture
def start(tiny_yaml: Callable[..., Path], tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Start a run that would take a minute."""
    path = tiny_yaml(train={"local_update_steps": 50}, federate={"client_num": 3, "total_round_num": 50})

    def popen() -> subprocess.Popen[str]:
        command = [*MAIN, "--cfg", str(path), "expname", "run"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)

    return popen


def started(process: subprocess.Popen[str]) -> None:
    """Wait until the process runs code of its own: Python's first milliseconds belong to Python."""
    handled = 1 << (signal.SIGUSR1 - 1)  # Python itself has handlers for SIGINT
    status = Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + 30
    while not own_handler(status, handled):
        assert time.monotonic() < deadline and process.poll() is None


def own_handler(status: Path, handled: int) -> bool:
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & handled)


@pytest.mark.parametrize(
    ("seconds", "number"),
    [(0.0, signal.SIGHUP), (0.1, signal.SIGINT), (0.5, signal.SIGUSR1), (1.5, signal.SIGTERM), (3.0, signal.SIGINT)],
)
def test_a_signal_ends_without_a_traceback_whenever_it_comes(
    start: Callable[[], subprocess.Popen[str]], seconds: float, number: signal.Signals
) -> None:
    process = start()
    started(process)
    time.sleep(0.05 + seconds)
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err
    assert "Traceback" not in err and "interrupted" in err
    assert "Exception ignored" not in err


@pytest.mark.full
def test_ctrl_c_in_a_run_says_how_to_go_on_even_before_the_first_evaluation(
    start: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start()
    log = tmp_path / "runs" / "run" / "run.log"
    while not log.exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED and "Traceback" not in err
    assert f"fedmezo resume {tmp_path / 'runs' / 'run'}" in err
    assert "to go on" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["--help", "--help-config"])
def test_a_reader_that_has_gone_is_no_error_to_talk_about(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        finished = subprocess.run([*MAIN, command], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert finished.returncode == BROKEN_PIPE
    assert finished.stderr == b""


@pytest.mark.integration
def test_a_reader_that_goes_in_the_middle_stops_no_run(tiny_yaml: Callable[..., Path]) -> None:
    path = tiny_yaml(federate={"total_round_num": 1})
    line = f"{shlex.join(MAIN)} --cfg {path} expname run"
    finished = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} 2>&1 | head -n 3"], capture_output=True, check=False
    )
    assert finished.returncode == BROKEN_PIPE and finished.stdout.count(b"\n") == 3
    summary = json.loads((path.parent / "runs" / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["outcome"] == "completed"


def test_every_exit_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    codes = {error.exit_code for error in (ConfigurationError, ResourceError, DivergedError, ClientError)}
    for code in codes | {0, 1, INTERRUPTED, BROKEN_PIPE}:
        assert re.search(rf"^  {code} +\w", shown, flags=re.MULTILINE), code


def ended_by(code: str, number: signal.Signals) -> tuple[int, str]:
    """Run a program that says when it is ready for the signal; return its exit code and what it said."""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None and process.stderr.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    return process.returncode, err


IN_A_DESTRUCTOR = r"""
import os, time
from fedmezo.core.process import exit_code, raise_on_interrupt, run_program
class Slow:
    def __del__(self):
        os.write(2, b"ready\n")
        time.sleep(1)
def work():
    raise_on_interrupt()
    Slow()
    time.sleep(30)
    return 0
raise SystemExit(run_program(lambda arguments: exit_code(work)))
"""
CLOSING_DOWN = r"""
import os, sys, time
from fedmezo.core.process import run_program
class Last:
    def __del__(self, write=os.write, sleep=time.sleep):
        write(2, b"ready\n")
        sleep(1)
sys.modules["last of all"] = Last()
raise SystemExit(run_program(lambda arguments: 0))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR2])
def test_a_signal_that_comes_in_a_destructor_is_not_lost(number: signal.Signals) -> None:
    assert ended_by(IN_A_DESTRUCTOR, number) == (INTERRUPTED, "\nfedmezo: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGXCPU])
def test_a_signal_after_all_is_done_changes_no_exit_code(number: signal.Signals) -> None:
    assert ended_by(CLOSING_DOWN, number) == (0, "")


def test_without_docstrings_nothing_heavy_is_imported(tiny_yaml: Callable[..., Path]) -> None:
    """Transformers ends in a traceback there."""
    command = [sys.executable, "-OO", *MAIN[1:], "--cfg", str(tiny_yaml())]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == ConfigurationError.exit_code
    assert ended.stderr.startswith("fedmezo: PYTHONOPTIMIZE = 2, or python -OO\n    transformers cannot be imported")
