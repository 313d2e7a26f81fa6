"""scripts/paper.py at scale smoke: every table and figure of the paper, from runs that are gone on with."""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fedmezo.suites.program import main
from tests.conftest import REPOSITORY
from tests.suites.test_suites import FOLDER, SUITES

pytestmark = pytest.mark.timeout(900)  # fifty runs
LEFT = {"README.md", "runs.csv", "table.tex", "figure.png", "figure.pdf", "environment.json", "runs"}


def test_all_suites(tmp_path: Path) -> None:
    """As a user calls it: in processes of its own."""
    command = [sys.executable, "scripts/paper.py", "all", "--scale", "smoke", "--out", str(tmp_path)]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=800, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    for suite in (path.stem for path in SUITES):
        folder = tmp_path / suite / "smoke"
        assert {path.name for path in folder.iterdir()} == LEFT
        page = (folder / "README.md").read_text()
        assert (
            page.startswith("# ") and "| --- |" in page and "nan" not in page and "`python scripts/paper.py all" in page
        )
        with (folder / "runs.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows and all(row["value"] not in ("", "nan") for row in rows)
        assert (folder / "figure.png").read_bytes()[:4] == b"\x89PNG" and (folder / "figure.pdf").stat().st_size > 5000
    page = (tmp_path / "convergence" / "smoke" / "README.md").read_text()
    assert page.count("| baseline |") == 2  # of each dataset its own
    refused = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=800, check=False)
    assert refused.returncode == 2 and "go on with --resume" in refused.stderr
    command.append("--resume")
    again = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=800, check=False)
    assert again.returncode == 0 and " 0 of them to do" in again.stdout


def test_an_unknown_suite_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategy"], FOLDER) == 2
    assert "there is no such suite; the nearest is strategies" in capsys.readouterr().err


def test_workers_do_not_outlive_a_program_that_was_killed(tmp_path: Path) -> None:
    words = ["seeds", "--out", str(tmp_path), "--workers", "1", "--", "federate.total_round_num", "1000000"]
    program = subprocess.Popen([sys.executable, "scripts/paper.py", *words], cwd=REPOSITORY, start_new_session=True)
    try:
        while not list(tmp_path.glob("seeds/smoke/runs/*/ledger.bin")):
            assert program.poll() is None
            time.sleep(0.2)
        program.kill()
        program.wait()
        with pytest.raises(ProcessLookupError):
            for _ in range(300):
                os.killpg(program.pid, 0)  # somebody of its group is there
                time.sleep(0.1)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)


def test_a_run_that_fails_is_told_and_the_others_count(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["seeds", "--out", str(tmp_path), "--workers", "1", "--", "trainer.type", "nobodys"]
    assert main(words, FOLDER) == 1
    assert "2 runs failed" in capfd.readouterr().err
