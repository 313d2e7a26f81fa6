"""Pictures and trackers cost a run nothing: what they cannot do is told once."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fedmezo.federation.callbacks import Callback, RoundReport
from fedmezo.main import main
from fedmezo.reporting.dispensable import Dispensable, drawing
from tests.ledger.made import evaluation
from tests.reporting.reports import make_report

Write = Callable[..., Path]
PICTURES = {"loss.png", "partition.png"}
BEFORE = evaluation(0, val=2.0)


class Failing(Callback):
    """A tracker whose service is gone after a round."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.closed = 0

    def after_round(self, report: RoundReport) -> None:
        self.told.append(report.record.round_index)
        if len(self.told) == 2:
            raise BrokenPipeError("the service is gone")

    def close(self) -> None:
        self.closed += 1
        raise RuntimeError("closed already")


def test_a_tracker_that_fails_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    tracker = Dispensable("wandb", failing)
    with caplog.at_level(logging.WARNING):
        for index in range(4):
            tracker.after_round(make_report(index))
            tracker.after_evaluation(BEFORE, BEFORE)
        tracker.close()
    assert failing.told == [0, 1] and failing.closed == 1
    assert [record.getMessage() for record in caplog.records] == [
        "wandb failed, and is left out from here on: BrokenPipeError: the service is gone"
    ]


def test_a_tracker_that_fails_at_the_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    Dispensable("tensorboard", Failing()).close()
    assert "tensorboard failed" in caplog.text


def test_half_a_picture_is_no_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise ValueError("no such font")

    with drawing(tmp_path / "loss.png"):
        half(tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()
    assert f"{tmp_path / 'loss.png'}: the picture could not be drawn: ValueError: no such font" in caplog.text


def run_with(environment: dict[str, str], path: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fedmezo.main", "--cfg", str(path), "expname", name, "outdir", str(path.parent)]
    return subprocess.run(
        [*command, "federate.total_round_num", "1", "train.local_update_steps", "1"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_figure_is_drawn_whatever_backend_the_environment_asks_for(tmp_path: Path) -> None:
    code = "from fedmezo.reporting.dispensable import new_figure; new_figure(1, 1).savefig('figure.png')"
    environment = os.environ | {"MPLBACKEND": "foo"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.full
def test_pictures_are_drawn_whatever_backend_the_environment_asks_for(tiny_yaml: Write, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    done = run_with({"MPLBACKEND": "foo", "MPLCONFIGDIR": str(nowhere)}, tiny_yaml(), "backend")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "backend").iterdir()} >= PICTURES


@pytest.mark.pictures
def test_without_matplotlib_a_run_does_all_else(
    tiny_yaml: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ["expname", "bare", "outdir", str(tmp_path), "federate.total_round_num", "1"]
    assert main(["--cfg", str(tiny_yaml()), *words]) == 0
    left = {path.name for path in (tmp_path / "bare").iterdir()}
    assert not left & PICTURES and {"adapter", "summary.json", "metrics.jsonl"} <= left
    assert (tmp_path / "bare" / "run.log").read_text(encoding="utf-8").count("could not be drawn") == len(PICTURES)


def test_a_tracker_that_cannot_be_used_is_told_before_anything_is_loaded(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(settings: object) -> None:
        raise ValueError("WANDB_MODE: expected online, offline or disabled")

    stand_in = SimpleNamespace(setup=refuse, Settings=dict, __spec__=object())
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    path = tiny_yaml(wandb={"use": True}, model={"type": "no-such-model@random_llm"})
    assert main(["--cfg", str(path)]) == 3
    message = capsys.readouterr().err
    assert "wandb.use = True\n    WANDB_MODE: expected online, offline or disabled\n    with False" in message
