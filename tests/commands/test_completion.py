"""What a shell is offered, asked as it asks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fedmezo.commands.completion import SHELLS, shell_code

CASES = {
    "fedmezo re": {"resume", "replay", "report"},
    "fedmezo run quick": {"quickstart"},
    "fedmezo run quickstart zo.m": {"zo.mu"},
    "fedmezo run quickstart use_gpu ": {"True", "False"},
    "fedmezo check -q quickstart train.optimizer.lr 1 zo.est": {"zo.estimator"},
    "fedmezo replay runs/x --export ": {"adapter", "merged"},
    "fedmezo config help early_stop.": {"early_stop.patience"},
    "fedmezo config show sweeps/ti": {"sweeps/tiny"},
    "fedmezo paper bytes mem": {"memory"},
    "fedmezo paper bytes -- data.roo": {"data.root"},
    "fedmezo sweep rate": {"rate_and_mu"},
}


def offered(line: str, folder: Path) -> set[str]:
    """Return what the program answers to a shell that completes a line."""
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    answer = folder / "answer"
    environment = os.environ | asked | {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([sys.executable, "-m", "fedmezo"], env=environment, check=True, cwd=folder)
    return set(answer.read_text().split())


@pytest.mark.parametrize("line", CASES)
def test_what_is_offered(line: str, tmp_path: Path) -> None:
    assert offered(line, tmp_path) == CASES[line]


def test_strategies_are_offered_by_their_registered_names(tmp_path: Path) -> None:
    assert {"frozen", "model-diff"} <= offered("fedmezo run quickstart train.train_strategy ", tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_can_read_what_it_is_given(shell: str, tmp_path: Path) -> None:
    code = shell_code(shell)
    assert "fedmezo" in code
    if (program := shutil.which(shell)) is not None:
        (tmp_path / "code").write_text(code)
        subprocess.run([program, "-n", str(tmp_path / "code")], check=True)
