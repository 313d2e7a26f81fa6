"""scripts/paper.py at scale smoke: every table and figure of the paper, from runs that are gone on with."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import budget
from fedmezo.commands.experiments.suites.program import main
from tests.commands.experiments.suites.test_suites import FOLDER, SUITES
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(900)  # fifty runs
SOME = ["convergence", "seeds", "decomfl", "fedkseed", "mezo", "budget"]  # a figure, a table, peers, rates
LEFT = {"README.md", "runs.csv", "table.tex", "figure.png", "figure.pdf", "environment.json", "runs"}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "suites"),
    [
        (SOME, SOME),
        pytest.param(["all"], [path.stem for path in SUITES], marks=pytest.mark.full),
    ],
    ids=["some", "all"],
)
def test_suites(words: list[str], suites: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a user calls it, in processes of its own; then in this process, which finds nothing to do."""
    words = [*words, "--scale", "smoke", "--out", str(tmp_path)]
    command = [sys.executable, "scripts/paper.py", *words]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=800, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert {path.name for path in tmp_path.iterdir()} == {*suites}
    for suite in suites:
        folder = tmp_path / suite / "smoke"
        assert {path.name for path in folder.iterdir()} == LEFT
        page = (folder / "README.md").read_text()
        assert (
            page.startswith("# ")
            and "| --- |" in page
            and "nan" not in page
            and f"`python scripts/paper.py {suite} --scale smoke`" in page
        )
        with (folder / "runs.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows and all(row["value"] not in ("", "nan") for row in rows)
        assert (folder / "figure.png").read_bytes()[:4] == b"\x89PNG" and (folder / "figure.pdf").stat().st_size > 5000
    pages = {suite: (tmp_path / suite / "smoke" / "README.md").read_text() for suite in suites}
    if "convergence" in pages:
        assert pages["convergence"].count("| baseline |") == 2  # of each dataset its own
    if "decomfl" in pages:  # 4 rounds, 2 clients, batches of 2: one forward at the point, and one for each of P
        for method, forwards in (("DeComFL, P = 5", 96), ("DeComFL, P = 10", 176)):
            (row,) = (line for line in pages["decomfl"].splitlines() if line.startswith(f"| opinions | {method} |"))
            assert f"| {forwards} |" in row
        assert "0.27 TB" not in pages["decomfl"] and "Published: Li et al." in pages["decomfl"]  # of other tasks
    if "fedkseed" in pages:
        assert (
            "| under 18 kB |" in pages["fedkseed"] and "| `train.local_update_steps` | 200 | 4 |" in pages["fedkseed"]
        )
    if "budget" in pages:
        learnt = budget.rows("smoke", tmp_path)
        assert {row["method"] for row in learnt} >= {"textbook", "backprop", "quickstart"}
        assert {row["seed"] for row in learnt} == {1} and len(learnt) == 6
        assert all(row["forwards"] == 28 for row in learnt)
        assert all(row["factor"] in (1.0, None) for row in learnt if row["method"] == "textbook")
        assert "| baseline |" in pages["budget"] and pages["budget"].count("**") == 2 * 2  # a rate for each arm
    assert main(words) == 2 and "go on with --resume" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0 and " 0 of them to do" in capsys.readouterr().out


def test_an_unknown_suite_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategy"], folder=FOLDER) == 2
    assert "there is no such suite; the nearest is strategies" in capsys.readouterr().err


@pytest.mark.full
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


@pytest.mark.full
def test_a_signal_to_the_program_alone_ends_its_runs_with_their_round(tmp_path: Path) -> None:
    words = ["seeds", "--out", str(tmp_path), "--workers", "1", "--", "federate.total_round_num", "1000000"]
    command = [sys.executable, "scripts/paper.py", *words]
    program = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        while not any(path.stat().st_size for path in tmp_path.glob("seeds/smoke/runs/*/metrics.jsonl")):
            assert program.poll() is None
            time.sleep(0.2)
        program.send_signal(signal.SIGUSR1)
        _, error = program.communicate(timeout=120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
    assert program.returncode == 130 and "Traceback" not in error
    assert "to go on: python scripts/paper.py seeds" in error and "--resume" in error
    (summary,) = tmp_path.glob("seeds/smoke/runs/*/summary.json")
    assert json.loads(summary.read_text(encoding="utf-8"))["outcome"] == "interrupted"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bytes", "--", "federate.transport", "weights"], "federate.transport\n      the runs differ in it"),
        (["seeds", "--", "seed", "7"], "command line  seed\n      the runs differ in it"),
        (["bytes", "mu", "--", "data.rot", "x"], "1 mistake in the configuration\n  command line  data.rot = x"),
    ],
)
def test_what_makes_a_table_wrong_is_refused_once_and_before_anything_runs(
    tmp_path: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], "--out", str(tmp_path / "out"), *words[1:]], folder=FOLDER) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 3 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--workers", "--threads", "--seeds"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "two"])
def test_numbers_of_options_are_checked(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["seeds", f"{option}={value}"], folder=FOLDER)
    assert ended.value.code == 2 and f"{value!r}: expected a whole number above 0" in capsys.readouterr().err


@pytest.mark.full
def test_runs_that_do_not_count_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two seeds, of which one diverges: and neither a run of other settings nor a damaged folder is taken for one."""
    words = ["seeds", "--out", str(tmp_path), "--workers", "1", "--seeds"]
    wild = ["--", "train.optimizer.lr", "1e30", "llm.max_nonfinite", "0"]
    assert main([*words, "1", *wild], folder=FOLDER) == 4
    out, page, runs = tmp_path / "seeds" / "smoke", tmp_path / "seeds" / "smoke" / "README.md", "runs"
    assert "0 of 1 runs" in page.read_text() and "_seed1 (diverged)" in page.read_text()
    capfd.readouterr()
    assert main([*words, "1", "--resume", *wild], folder=FOLDER) == 0  # it would diverge again
    assert "1 runs, 0 of them to do" in capfd.readouterr().out
    assert main([*words, "2", "--resume"], folder=FOLDER) == 2
    told = capfd.readouterr().err
    assert "train.optimizer.lr = 1e+30\n      this run was made so, and now it is 0.01" in told
    assert "llm.max_nonfinite = 0" in told and told.startswith("fedmezo: 2 mistakes")

    (first,) = (out / runs).iterdir()
    shutil.rmtree(first)
    bearable = ["--", "train.optimizer.lr", "1e30", "llm.max_nonfinite", "1000"]
    assert main([*words, "1", "--resume", *bearable], folder=FOLDER) == 0
    assert "its loss is not finite" in page.read_text() and "0 of 1" in page.read_text()
    shutil.rmtree(first)
    assert main([*words, "1", "--resume"], folder=FOLDER) == 0
    assert "Not counted" not in page.read_text() and "| 1 |" in page.read_text()

    metrics = (first / "metrics.jsonl").read_bytes()
    (first / "metrics.jsonl").write_bytes(metrics[: len(metrics) // 2])
    capfd.readouterr()
    assert main([*words, "1", "--report"], folder=FOLDER) == 3
    assert f"{first / 'metrics.jsonl'}\n    is missing or damaged" in capfd.readouterr().err
    (first / "metrics.jsonl").write_bytes(metrics)
    (first / "ledger.bin").write_bytes((first / "ledger.bin").read_bytes()[:60])
    assert main([*words, "1", "--report"], folder=FOLDER) == 3
    assert f"{first / 'ledger.bin'}\n    is missing or damaged" in capfd.readouterr().err


@pytest.mark.full  # in a process of its own: workers write to the stderr of the first test that has some
def test_missing_data_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = [
        "mu",
        "--out",
        str(tmp_path),
        "--workers",
        "1",
        "--",
        "data.type",
        "none.jsonl",
        "data.root",
        str(tmp_path),
    ]
    assert main(words, folder=FOLDER) == 3
    told = capfd.readouterr()
    assert told.err.count("none.jsonl") == 1
    assert "stopped: data, a model or memory cannot be had; 2 runs are left" in told.err


def test_nothing_to_report_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mu", "--out", str(tmp_path), "--report"], folder=FOLDER) == 0
    assert "mu: no run of it has come to its end" in capsys.readouterr().out
