"""docs/tutorial.ipynb is run as it stands, on a tiny model."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(600)  # whole runs, and the processes of commands
NOTEBOOK = REPOSITORY / "docs" / "tutorial.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDMEZO_TUTORIAL", "smoke")
    monkeypatch.setenv("FEDMEZO_TUTORIAL_FOLDER", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(REPOSITORY)}}
    )
    client.execute(env=dict(os.environ))
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "Traceback" not in said
    assert "the nearest is lda" in said and "train.optimizer.lr" in said  # of the mistakes shown
    runs = tmp_path / "runs"
    for name in ("frozen", "by-loss"):
        assert json.loads((runs / name / "summary.json").read_text())["outcome"] == "completed"
    rates = [json.loads(line)["clients"] for line in (runs / "by-loss" / "metrics.jsonl").read_text().splitlines()]
    assert len({client["learning_rate"] for client in rates[0]}) == 1  # nothing is known yet
    assert len({client["learning_rate"] for client in rates[1]}) > 1
    assert (runs / "report.html").stat().st_size < 3e6
