"""``python -m benchmarks.gpu`` without a GPU: its page, its time, and what becomes of rows that fail or are late."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu.budget import PARTS, Part, measure
from benchmarks.gpu.page import page
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "results" / "gpu"
MACHINE = {
    "gpu": "a card",
    "memory_bytes": 80 << 30,
    "driver": "570.1",
    "packages": {"torch": "2", "triton": "3", "transformers": "5", "peft": "1"},
    "python": "3.11",
    "half": "bfloat16",
    "date": "2026-01-01",
    "commit": "0123456789",
}


def results(on: str = "gpu", **parts: Any) -> dict[str, Any]:
    machine = {"plan": ["machine"], "rows": {"machine": MACHINE}, "seconds": 1.0}
    return {"on": on, "quick": False, "minutes": 8.0, "parts": {"machine": machine, **parts}}


def test_the_committed_page_is_that_of_the_committed_figures_which_are_of_a_gpu_if_there_are_any() -> None:
    figures = PAGE / "results.json"
    found = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else None
    assert (PAGE / "README.md").read_text(encoding="utf-8") == page(found)
    assert found is None or (found["on"], found["quick"]) == ("gpu", False)


def test_the_page_has_the_figures_first_and_names_what_failed_and_what_no_time_was_left_for() -> None:
    rows = {
        "A: inference": {"peak": 200.0, "working": 150.0, "loaded": 100.0},
        "A: mezotrainer": {"peak": 300.0, "working": 180.0, "loaded": 100.0},
        "A: llmtrainer": {"failed": "OutOfMemoryError: of memory"},
    }
    text = page(results(memory={"plan": [*rows, "B: inference"], "rows": rows, "seconds": 2.0}))
    assert "a card, 80 GiB; driver 570.1; torch 2, triton 3" in " ".join(text.split()) and "commit 0123456:" in text
    section = text[text.index("## Peak memory") : text.index("## Engines")]
    places = [
        section.index(part)
        for part in (
            "| A: mezotrainer | 300 | 1.50 | 80 |",
            "- A: llmtrainer: **OutOfMemoryError: of memory**",
            "- Not measured, as no time was left: B: inference.",
        )
    ]
    assert places == sorted(places)
    assert text.count("Not measured: no time was left of 8 minutes.") == 4


@pytest.mark.parametrize(("on", "said"), [("stand-in", "of a stand-in for a GPU"), ("cpu", "of the CPU")])
def test_the_page_says_what_was_no_gpu(on: str, said: str) -> None:
    assert f"**Figures {said}" in page(results(on)) and "**Figures" not in page(results("gpu"))


def measured(script: str, minutes: float = 1.0) -> tuple[dict[str, Any], int]:
    """Return what is kept of a part that a script measures, given the row to begin with, and how often it was saved."""
    found: dict[str, Any] = {"parts": {}}
    saved: list[str] = []
    head = (
        "import json, sys, time\nskip = int(sys.argv[-1])\nsay = lambda **line: print(json.dumps(line), flush=True)\n"
    )
    command = [sys.executable, "-c", head + script]
    deadline = time.monotonic() + 60 * minutes
    measure(Part("kernel", 1.0), found, command, deadline, lambda: saved.append(json.dumps(found)))
    return found["parts"]["kernel"], len(saved)


def test_a_row_that_ends_its_process_costs_itself_alone() -> None:
    script = """
say(plan=["a", "b", "c"])
for name in ["a", "b", "c"][skip:]:
    if name == "b":
        sys.exit("an illegal memory access")
    say(row=name, figures={"from": skip})
"""
    found, saved = measured(script)
    assert found["rows"] == {"a": {"from": 0}, "b": {"failed": "an illegal memory access"}, "c": {"from": 2}}
    assert saved >= 5  # after each line, so that nothing measured is lost


def test_a_part_whose_time_is_over_is_ended_and_keeps_what_it_has() -> None:
    found, _ = measured('say(plan=["a", "b"])\nsay(row="a", figures={})\ntime.sleep(600)', minutes=0.02)
    assert (found["plan"], found["rows"]) == (["a", "b"], {"a": {}}) and "failed" not in found


def test_a_part_that_does_not_begin_says_why() -> None:
    found, _ = measured("sys.exit('no such module')")
    assert (found["plan"], found["failed"]) == ([], "no such module")


def test_the_shares_are_all_of_the_time() -> None:
    assert sum(part.share for part in PARTS) == pytest.approx(1.0)


def test_without_a_gpu_one_message_says_so_and_nothing_is_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path / "page")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and not (tmp_path / "page").exists()
    assert "there is no GPU that torch can use" in done.stderr and "Traceback" not in done.stderr
