"""A suite that puts tasks to its runs."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from fedmezo.commands.experiments.suites.program import main
from tests.conftest import TINY
from tests.evaluation.tasks.gsm import write_data, write_model

STRICT, FLEXIBLE = (f"gsm8k_local:exact_match,{name}" for name in ("strict-match", "flexible-extract"))


@pytest.mark.full
def test_tasks_are_asked_of_every_run_and_again_only_where_answers_lack(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "model")
    write_data(tmp_path / "data")
    content = TINY | {
        "model": {"type": f"{tmp_path / 'model'}@huggingface_llm"},
        "data": {"type": "gsm8k@llm", "root": str(tmp_path / "data")},
    }
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    tree = {
        "title": "Tasks",
        "items": ["our own"],
        "y": "test_loss",
        "columns": ["drop"],
        "axes": {"rate": {"0.5": {"train.optimizer.lr": 0.5}}},
        "scales": {
            "smoke": {
                "cfg": "base.yaml",
                "columns": [f"{STRICT}@0", f"{FLEXIBLE}@final"],
                "evaluate": {"tasks": ["gsm8k_local"], "rounds": [0, "final"], "limit": 1},
            }
        },
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    words = ["mine", "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(words, folder=tmp_path) == 0
    out = tmp_path / "out" / "mine" / "smoke"
    (run,) = (out / "runs").iterdir()
    found = {
        (rounds, f"gsm8k_local:{score['metric']},{score['filter']}"): score["value"]
        for rounds in (0, 4)
        for score in json.loads((run / "evaluation" / f"after_{rounds}" / "gsm8k_local.json").read_text())["scores"]
    }
    with (out / "runs.csv").open() as file:
        rows = {
            (int(row["rounds"]), row["metric"]): float(row["value"])
            for row in csv.DictReader(file)
            if row["metric"].startswith("gsm8k_local")
        }
    assert rows == {key: value for key, value in found.items() if key[1] in (STRICT, FLEXIBLE)} and len(rows) == 4
    page = (out / "README.md").read_text()
    assert f"{STRICT}@0" in page and f"| {found[0, STRICT]:.4g} | {found[4, FLEXIBLE]:.4g} |" in page

    (run / "evaluation" / "after_4" / "gsm8k_local.json").unlink()
    capfd.readouterr()
    assert main([*words, "--resume"], folder=tmp_path) == 0
    assert "1 runs, 1 of them to do" in capfd.readouterr().out and (out / "README.md").read_text() == page
    assert main([*words, "--resume"], folder=tmp_path) == 0
    assert "1 runs, 0 of them to do" in capfd.readouterr().out
