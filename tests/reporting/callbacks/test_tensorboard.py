"""Logging to TensorBoard, whose writer is played by a stand-in: the package is optional."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fedmezo.main import main


class Writer:
    """Remembers scalars by name; one of them at a time."""

    def __init__(self, folder: str, purge_step: int | None) -> None:
        self.folder, self.purge_step = Path(folder), purge_step
        self.scalars: dict[str, list[int]] = {}
        self.texts: list[str] = []
        self.closed = False
        self.add_text = lambda name, text: self.texts.append(text)
        self.flush = lambda: None

    def add_scalar(self, name: str, value: float, step: int) -> None:
        assert isinstance(value, float)
        self.scalars.setdefault(name, []).append(step)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def writers(monkeypatch: pytest.MonkeyPatch) -> list[Writer]:
    """Return the writers that are made."""
    made: list[Writer] = []

    def make(folder: str, purge_step: int | None) -> Writer:
        made.append(Writer(folder, purge_step))
        return made[-1]

    monkeypatch.setitem(sys.modules, "tensorboard", SimpleNamespace(__spec__=object()))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=make))
    return made


def test_a_run_and_its_resume_are_one_curve(tiny_yaml: Callable[..., Path], writers: list[Writer]) -> None:
    path = tiny_yaml(tensorboard={"use": True})
    assert main(["--cfg", str(path), "expname", "run"]) == 0
    folder = path.parent / "runs" / "run"
    assert main(["--resume", str(folder), "federate.total_round_num", "6"]) == 0
    first, second = writers
    assert first.folder == second.folder == folder / "tensorboard" and first.closed and second.closed
    assert first.scalars["train_loss"] == [1, 2, 3, 4] and second.scalars["train_loss"] == [5, 6]
    assert first.scalars["val_loss"] == [0, 2, 4] and second.scalars["client_2/learning_rate"] == [5, 6]
    assert (first.purge_step, second.purge_step) == (None, 5)
    assert "mu: 0.005" in first.texts[0] and not second.texts
