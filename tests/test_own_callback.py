"""A callback of the user's own, in one file: it is told of the run, and costs it nothing where it fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmezo.main import main

Write = Callable[..., Path]
OWN = """
import fedmezo
from fedmezo.reporting.callbacks import Callback, register


@register("own")
class Own(Callback):
    def __init__(self, run):
        self.file = (run.folder / "own.txt").open("a")
        self.note("made", len(run.past), len(run.evaluations), run.settings["seed"])

    def note(self, *words):
        print(*words, file=self.file, flush=True)

    def after_round(self, report):
        self.note("round", report.record.round_index, report.traffic[0].up)
        {0}

    def after_evaluation(self, record, initial):
        self.note("evaluation", record.rounds_done, record.losses["val"] / initial.losses["val"] <= 2)

    def wants_stop(self):
        return {1}

    def close(self):
        self.note("closed")
"""
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


@pytest.fixture
def run(tiny_yaml: Write, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that runs with a callback, and gives the run's folder."""

    def train(body: str = "pass", stop: str = "False", *, code: int = 0, name: str = "run") -> Path:
        (tmp_path / "own.py").write_text(OWN.replace("{0}", body).replace("{1}", stop), encoding="utf-8")
        words = ("expname", name, "extensions", str(tmp_path / "own.py"), "callbacks", "own")
        assert main(["--cfg", str(tiny_yaml()), *words]) == code
        return tmp_path / "runs" / name

    return train


def notes(folder: Path) -> list[str]:
    return (folder / "own.txt").read_text(encoding="utf-8").splitlines()


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def test_it_is_told_of_the_whole_run(run: Callable[..., Path]) -> None:
    found = notes(run())
    assert [line.split()[0] for line in found] == [
        *("made", "evaluation", "round", "evaluation", "round", "round", "evaluation", "round", "closed")
    ]
    assert found[0] == "made 0 0 0" and found[-2].startswith("round 3 ") and "evaluation 2 True" in found


def test_a_run_that_goes_on_tells_what_is_behind_it(run: Callable[..., Path]) -> None:
    folder = run()
    assert main(["--resume", str(folder), "federate.total_round_num", "5"]) == 0
    assert "made 4 3 0" in notes(folder) and any(line.startswith("round 4 ") for line in notes(folder))


def test_one_that_fails_is_told_once_with_its_line_and_costs_nothing(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = run("1 / 0")
    said = capsys.readouterr().err
    line = f"own failed, and is left out from here on: {tmp_path / 'own.py'}:17: ZeroDivisionError: division by zero"
    assert said.count("ZeroDivisionError") == 1 and line in said and "Traceback" not in said
    assert notes(folder)[-2:] == [notes(folder)[-2], "closed"] and notes(folder)[-2].startswith("round 0 ")
    assert summary(folder)["outcome"] == "completed" and summary(folder)["rounds"] == 4


def test_one_that_is_mended_goes_on_with_the_run(run: Callable[..., Path], tmp_path: Path) -> None:
    """A file of callbacks has no part in what the rounds compute."""
    folder = run("1 / 0")
    path = tmp_path / "own.py"
    path.write_text(path.read_text(encoding="utf-8").replace("1 / 0", "pass"), encoding="utf-8")
    assert main(["--resume", str(folder), "federate.total_round_num", "5"]) == 0


def test_it_may_stop_the_run(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("self.last = report.record.round_index", "getattr(self, 'last', 0) >= 1")
    assert (summary(folder)["outcome"], summary(folder)["rounds"]) == ("stopped early", 2)
    assert "callback own stops the run" in capsys.readouterr().err
    assert main(["--resume", str(folder), "callbacks", "[]"]) == 0
    assert (summary(folder)["outcome"], summary(folder)["rounds"]) == ("completed", 4)


def test_it_may_end_the_run_as_diverged(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("raise fedmezo.DivergedError('the loss is beyond what I want')", code=4)
    assert "the loss is beyond what I want" in capsys.readouterr().err
    assert summary(folder)["outcome"] == "diverged"


def test_a_run_is_the_same_with_it_and_without(run: Callable[..., Path], tiny_yaml: Write, tmp_path: Path) -> None:
    with_it = run()
    assert main(["--cfg", str(tiny_yaml()), "expname", "plain"]) == 0
    for name in ("evaluations.jsonl", "adapter/adapter_model.safetensors"):
        assert (with_it / name).read_bytes() == (tmp_path / "runs" / "plain" / name).read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def __init__(self, run):", "def __init__(self):", "callback own: "),
        ('self.note("made"', '1 / 0\n        self.note("made"', "ZeroDivisionError"),
        ("class Own(Callback):", "class Own:", "callback own is no Callback"),
    ],
    ids=["needs", "fails", "type"],
)
def test_one_that_cannot_be_made_is_a_mistake_with_its_place(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    source = OWN.replace("{0}", "pass").replace("{1}", "False").replace(old, new)
    (tmp_path / "own.py").write_text(source, encoding="utf-8")
    words = ("extensions", str(tmp_path / "own.py"), "callbacks", "own")
    assert main(["--cfg", str(tiny_yaml()), *words]) == 2
    message = capsys.readouterr().err
    assert said in message and f"{tmp_path / 'own.py'}:" in message and "Traceback" not in message


def test_a_name_that_nothing_registers_is_refused(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cfg", str(tiny_yaml()), "callbacks", "tensorbord"]) == 2
    assert "the nearest is tensorboard" in capsys.readouterr().err
