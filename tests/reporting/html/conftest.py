"""Runs to report on: one without and one with backpropagation, of the same data."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fedmezo.core.run_folder import RunFolder
from fedmezo.main import main
from fedmezo.reporting.html.page import render
from fedmezo.reporting.html.reading import read_runs
from fedmezo.reporting.html.run import Run
from tests.conftest import TINY, WORD_PROBLEMS

NAMES = ("mezo", "backprop")
OVERRIDES = {"mezo": (), "backprop": ("trainer.type", "llmtrainer")}


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both runs; tests read it only."""
    folder = tmp_path_factory.mktemp("report")
    cfg = folder / "tiny.yaml"
    cfg.write_text(
        yaml.safe_dump(TINY | {"outdir": str(folder), "data": TINY["data"] | WORD_PROBLEMS}), encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDMEZO_CACHE", str(folder / "cache"))
        for name in NAMES:
            assert main(["--cfg", str(cfg), "--quiet", "expname", name, *OVERRIDES[name]]) == 0
    return folder


@pytest.fixture
def folders(runs_folder: Path) -> list[Path]:
    return [runs_folder / name for name in NAMES]


@pytest.fixture
def runs(folders: list[Path]) -> list[Run]:
    return read_runs([RunFolder(path) for path in folders])


@pytest.fixture
def rendered(runs: list[Run]) -> str:
    """Return the page of both runs."""
    return render(runs)


@pytest.fixture
def copied(folders: list[Path], tmp_path: Path) -> Callable[[], Path]:
    """Return a copy of the run without backpropagation, to be damaged."""

    def copy() -> Path:
        target = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        shutil.copytree(folders[0], target)
        return target

    return copy
