"""What a user is told to type is found by the shell that he is in."""

import sys
from pathlib import Path

import pytest

from fedmezo.core.command_line import command


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an environment's programs, below a project, with the command in it."""
    folder = tmp_path / "a project" / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "fedmezo").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    return folder


def test_where_it_is_on_the_path_its_name_does(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(environment))
    assert command("resume", "runs/it's") == """fedmezo resume 'runs/it'"'"'s'"""


def test_another_environments_command_is_not_taken(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fedmezo").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("report", "run") == f"'{environment / 'fedmezo'}' report run"


def test_after_make_demo_it_is_below_the_current_folder(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(environment.parents[1])
    assert command("resume", "runs/quickstart") == ".venv/bin/fedmezo resume runs/quickstart"


def test_where_it_is_not_installed_python_finds_it(environment: Path) -> None:
    (environment / "fedmezo").unlink()
    assert command("generate", "run") == "python -m fedmezo generate run"
