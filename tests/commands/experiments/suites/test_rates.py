"""Rates of a suite's arms: chosen on validation data first, then the arms are run with them and read at the budget."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fedmezo.commands.experiments.suites.program import main
from tests.conftest import REPOSITORY


def write_suite(folder: Path) -> None:
    """Write a suite of two methods, of which one has a grid of two: the lower one is better, the other destroys it."""
    tree: dict[str, Any] = {
        "title": "T",
        "items": ["our own"],
        "x": ["forwards"],
        "y": "test_loss",
        "columns": ["rate", "drop", "forwards"],
        "baseline": {"method": "slow"},
        "axes": {
            "method": {
                "slow": {"train.optimizer.lr": 1e-3},
                "backprop": {"trainer.type": "llmtrainer", "rates": [10.0, 1.0e30]},
            }
        },
        "scales": {
            "smoke": {
                "cfg": str(REPOSITORY / "configs" / "_base_" / "smoke.yaml"),
                "budget": 5,
                "set": {
                    **{"data.splits": [0.6, 0.2, 0.2], "train.local_update_steps": 1, "eval.count_flops": True},
                    **{"federate.total_round_num": 2, "llm.max_nonfinite": 0},
                },
            }
        },
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


@pytest.mark.integration
def test_a_rate_is_chosen_before_the_arms_are_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_suite(tmp_path)
    words = ["small", "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(words, folder=tmp_path) == 0
    told = capsys.readouterr().out
    assert "2 runs to choose rates by" in told and "1 runs to choose rates by" in told and "2 runs, 2 of" in told
    folder = tmp_path / "out" / "small" / "smoke"
    page = (folder / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("| backprop | 1 |"))
    rate = float(row.split(" | ")[2])
    assert rate == 10.0 and f"**{rate:g}: " in page and "| slow | 1 | 0.001 |" in page and "| baseline |" in page
    assert row.split(" | ")[4] == "5" and "1e+30: none" in page  # forwards of the budget, on the line between two
    names = {path.name for path in (folder / "runs").iterdir()}
    assert {"slow_seed1", f"backprop_rate{rate:g}_seed1", "backprop_rate1e+30_seed0"} <= names
    assert f"backprop_rate{rate:g}_seed0" in names and "slow_seed0" not in names
    assert main(words, folder=tmp_path) == 2 and main([*words, "--report"], folder=tmp_path) == 0
    assert (folder / "README.md").read_text(encoding="utf-8").splitlines()[5:] == page.splitlines()[5:]
    assert main([*words, "--resume", "--", "train.optimizer.lr", "1"], folder=tmp_path) == 2
    assert "train.optimizer.lr\n      the runs differ in it" in capsys.readouterr().err
