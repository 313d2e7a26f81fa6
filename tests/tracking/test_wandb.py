"""Logging to wandb, which is played by a stand-in: the library itself would open connections."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedmezo.main import main


class Recorder:
    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.finished = False

    def init(self, **settings: Any) -> "Recorder":
        self.settings = settings
        return self

    def log(self, row: dict[str, Any], step: int) -> None:
        self.rows.append((step, row))

    def finish(self) -> None:
        self.finished = True


def test_a_run_is_logged_offline(tiny_yaml: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=recorder.init, __spec__=object()))
    use = {"use": True, "client_train_info": True, "name_project": "mine"}
    assert main(["--cfg", str(tiny_yaml(wandb=use)), "expname", "run"]) == 0
    assert recorder.settings["mode"] == "offline" and recorder.settings["project"] == "mine"
    assert recorder.settings["config"]["zo"]["mu"] == 0.005
    assert [step for step, _ in recorder.rows] == [0, 1, 2, 3, 4] and recorder.finished
    assert {"val_loss", "test_loss"} == set(recorder.rows[0][1])
    assert {"train_loss", "client_0/loss", "client_2/learning_rate"} <= set(recorder.rows[1][1])


def test_without_wandb_the_message_says_what_to_install(
    tiny_yaml: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    path = tiny_yaml(wandb={"use": True})
    assert main(["--cfg", str(path)]) == 2
    assert not (path.parent / "runs").exists()
    assert "pip install -e .[wandb]" in capsys.readouterr().err
