"""docs/tutorial.ipynb is run as it stands, on a tiny model."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from fedmezo.__main__ import main as front_door
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(600)  # whole runs, and the processes of commands
NOTEBOOK = REPOSITORY / "docs" / "tutorial.ipynb"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the notebook is to leave its runs in."""
    monkeypatch.setenv("FEDMEZO_TUTORIAL", "smoke")
    monkeypatch.setenv("FEDMEZO_TUTORIAL_FOLDER", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # the notebook changes it
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(REPOSITORY)
    return tmp_path / "runs"


@pytest.mark.integration
@pytest.mark.usefixtures("nothing_of_users_stays")
def test_its_cells_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, the commands too."""
    names: dict[str, Any] = {"fedmezo_command": lambda words: front_door(shlex.split(words))}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            code = "".join(cell["source"])
            exec(re.sub(r"^!\{FEDMEZO\} (.*)$", r"assert fedmezo_command(f'\1') == 0", code, flags=re.MULTILINE), names)
    left_by(runs, capsys.readouterr().out)


@pytest.mark.full
def test_the_notebook_runs(runs: Path) -> None:
    notebook = nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(REPOSITORY)}}
    )
    client.execute(env=dict(os.environ))
    left_by(runs, "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())))


def left_by(runs: Path, said: str) -> None:
    """Check what the notebook has said and left."""
    assert "Traceback" not in said
    assert "the nearest is lda" in said and "train.optimizer.lr" in said  # of the mistakes shown
    for name in ("frozen", "by-loss"):
        assert json.loads((runs / name / "summary.json").read_text())["outcome"] == "completed"
    rates = [json.loads(line)["clients"] for line in (runs / "by-loss" / "metrics.jsonl").read_text().splitlines()]
    assert len({client["learning_rate"] for client in rates[0]}) == 1  # nothing is known yet
    assert len({client["learning_rate"] for client in rates[1]}) > 1
    assert (runs / "report.html").stat().st_size < 3e6
