"""Logging to wandb, which is played by a stand-in: the library itself would open connections."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedmezo.main import main

Write = Callable[..., Path]


class StandInError(Exception):
    """wandb.Error."""


class Recorder:
    """The module and its run in one."""

    Error = StandInError
    Settings = staticmethod(lambda **settings: settings)
    url = "https://wandb.example/run"

    def __init__(self, logged_in: bool = False, failure: str = "") -> None:
        self.logged_in = logged_in
        self.failure = failure
        self.starts: list[dict[str, Any]] = []
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self.finished = 0
        self.module = SimpleNamespace(
            **{name: getattr(self, name) for name in ("Error", "Settings", "init", "setup", "login")}, __spec__=object()
        )

    def setup(self, settings: dict[str, Any]) -> None:
        assert settings["silent"]

    def login(self, *, prompt: bool) -> bool:
        assert not prompt
        if self.failure:
            raise StandInError(self.failure)
        return self.logged_in

    def init(self, **settings: Any) -> "Recorder":
        name = f"offline-run-20260101_000000-id{len(self.starts)}"
        if settings["id"]:
            name = f"offline-run-20260102_000000-{settings['id']}"
        folder = Path(settings["dir"]) / "wandb" / name / "files"
        folder.mkdir(parents=True)
        latest = folder.parents[1] / "latest-run"
        latest.unlink(missing_ok=True)
        latest.symlink_to(name)
        self.dir = str(folder)
        self.starts.append(settings)
        return self

    def log(self, row: dict[str, Any], step: int) -> None:
        self.rows.append((step, row))

    def finish(self) -> None:
        self.finished += 1


def played(monkeypatch: pytest.MonkeyPatch, **how: Any) -> Recorder:
    recorder = Recorder(**how)
    monkeypatch.setitem(sys.modules, "wandb", recorder.module)
    return recorder


def test_a_run_is_logged_offline(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = played(monkeypatch, failure="nobody asked for the service")
    use = {"use": True, "client_train_info": True, "name_project": "mine"}
    assert main(["--cfg", str(tiny_yaml(wandb=use)), "expname", "run"]) == 0
    (start,) = recorder.starts
    assert start["mode"] == "offline" and start["project"] == "mine" and start["settings"]["silent"]
    assert start["config"]["zo"]["mu"] == 0.005
    assert [step for step, _ in recorder.rows] == [0, 1, 2, 3, 4] and recorder.finished == 1
    assert {"val_loss", "test_loss", "val_accuracy"} <= set(recorder.rows[0][1])
    assert {"train_loss", "client_0/loss", "client_2/learning_rate"} <= set(recorder.rows[1][1])


def test_a_run_that_goes_on_is_the_same_run_there(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = played(monkeypatch)
    path = tiny_yaml(wandb={"use": True})
    assert main(["--cfg", str(path), "expname", "run"]) == 0
    folder = path.parent / "runs" / "run"
    assert f"wandb sync {folder}/wandb/offline-run-20260101_000000-id0\n" in capsys.readouterr().err
    assert main(["--resume", str(folder), "federate.total_round_num", "6"]) == 0
    assert [start["id"] for start in recorder.starts] == [None, "id0"]
    assert [step for step, _ in recorder.rows] == [0, 1, 2, 3, 4, 5, 6]


def test_online_the_address_is_told(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = played(monkeypatch, logged_in=True)
    assert main(["--cfg", str(tiny_yaml(wandb={"use": True, "online_track": True}))]) == 0
    assert (recorder.starts[0]["mode"], recorder.starts[0]["resume"]) == ("online", "allow")
    assert recorder.url in capsys.readouterr().err


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [({}, 2, "set WANDB_API_KEY"), ({"failure": "the key is wrong"}, 3, "the key is wrong")],
)
def test_without_an_account_an_online_run_does_not_start(
    tiny_yaml: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: dict[str, Any],
    code: int,
    words: str,
) -> None:
    played(monkeypatch, **how)
    path = tiny_yaml(wandb={"use": True, "online_track": True})
    assert main(["--cfg", str(path)]) == code
    assert words in capsys.readouterr().err and not (path.parent / "runs").exists()


@pytest.mark.parametrize("tracker", ["wandb", "tensorboard"])
def test_without_a_tracker_the_message_says_what_to_install(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tracker: str
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    path = tiny_yaml(**{tracker: {"use": True}})
    assert main(["--cfg", str(path)]) == 2
    assert not (path.parent / "runs").exists()
    assert f"pip install -e .[{tracker}]" in capsys.readouterr().err
