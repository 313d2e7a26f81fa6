"""Committed results: each is of a suite as it is shipped, with all arms and seeds, and is explained."""

import csv
import json
import math

import pytest

from fedmezo.commands.experiments.suites.suite import load
from tests.commands.experiments.suites.test_suites import FOLDER
from tests.conftest import REPOSITORY

RESULTS = REPOSITORY / "docs" / "results"
NAMES = sorted(path.name for path in RESULTS.iterdir() if path.is_dir() and path.name != "gpu")  # which is no suite


@pytest.mark.parametrize("name", NAMES)
def test_results_are_whole(name: str) -> None:
    suite, folder = load(FOLDER / f"{name}.yaml", "cpu"), RESULTS / name
    page = (folder / "README.md").read_text(encoding="utf-8")
    count = suite.runs
    assert f"`python scripts/paper.py {name} --scale cpu -- data.root FOLDER`, {count} of {count} runs" in page
    assert f"# {suite.title}\n" in page and (folder / "figure.png").exists() and (folder / "table.tex").exists()
    machines = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    assert all(row["processor"] in page and row["commit"][:7] in page for row in machines)
    assert sum(len(row["runs"]) for row in machines) == count
    with (folder / "runs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {(*(row[axis] for axis in suite.axes), row["seed"]) for row in rows}
    assert found == {(*arm.labels.values(), str(1 + seed)) for arm in suite.arms for seed in range(arm.seeds)}
    assert all(math.isfinite(float(row["value"])) for row in rows)


def test_each_is_explained() -> None:
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert NAMES and all(f"[{name}]({name}/README.md)" in page for name in NAMES)
