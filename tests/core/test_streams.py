"""Whatever becomes of the standard streams, a program does its work; real processes, real descriptors."""

import errno
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.core.process import BROKEN_PIPE

PROGRAM = """
from fedmezo.core.process import begin, run_program
begin()
import sys
from pathlib import Path

def main(arguments):
    with open("kept", "w") as kept:
        kept.write("begun ")
        for stream in (sys.stdout, sys.stderr):
            print("caf\\u00e9 \\u2603", "\\udcff", file=stream)
        print("more " * 10000)
        kept.write("done")
    return 0

sys.exit(run_program(main))
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a program that prints much, by a line of the shell, and check that its file is whole."""

    def run(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
        (tmp_path / "kept").unlink(missing_ok=True)
        line = f"set -o pipefail; {line.replace('PROGRAM', f'{sys.executable} program.py')}"
        places = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment
        found = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=places, capture_output=True, text=True, check=False, timeout=60
        )
        assert (tmp_path / "kept").read_text(encoding="utf-8") == "begun done"
        assert "Traceback" not in found.stderr and "Exception" not in found.stderr
        return found

    return run


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_nothing_is_printed_into_a_file_that_took_a_closed_stream_s_place(
    closed: str, program: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    assert program(f"PROGRAM {closed}").returncode == 0


def test_a_full_disk_behind_stdout_is_told(program: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    found = program("PROGRAM >/dev/full")
    assert found.returncode == 3
    assert f"fedmezo: stdout: {os.strerror(errno.ENOSPC)}; what was printed is incomplete" in found.stderr
    assert program("PROGRAM >/dev/full 2>&1").returncode == 3


@pytest.mark.parametrize("line", ["PROGRAM 2>/dev/full", "PROGRAM 2> >(true)"])
def test_what_stderr_loses_costs_nothing(line: str, program: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    assert program(line).returncode == 0


def test_a_reader_that_has_gone_is_told_by_the_exit_code(
    program: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    assert program("PROGRAM | true").returncode == BROKEN_PIPE


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"caf\xe9 \u2603 \udcff"),
        ("latin-1:strict", b"caf\xe9 \\u2603 \\udcff"),
        ("ascii:replace", b"caf? ? ?"),
        ("utf-8", "café ☃ \\udcff".encode()),
    ],
)
def test_what_the_encoding_lacks_is_shown_in_another_way(
    encoding: str, shown: bytes, program: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    assert program("PROGRAM >out 2>err", PYTHONIOENCODING=encoding).returncode == 0
    assert (tmp_path / "out").read_bytes().splitlines()[0] == shown


@pytest.mark.integration
def test_a_run_whose_screen_is_lost_saves_everything(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    """Its terminal is closed, its stdout full, and its categories have names that stdout cannot say."""
    rows = [
        {"instruction": f"{n}?", "output": str(n), "category": "☃" if n % 2 else "日本"} for n in range(60)
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = tiny_yaml(data={"root": str(tmp_path), "type": "rows.jsonl"}, federate={"save_to": str(tmp_path / "saved")})
    ours, theirs = pty.openpty()
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "fedmezo.main", "--cfg", str(path), "expname", "run"],
            stdout=full,
            stderr=theirs,
            env=os.environ | {"PYTHONIOENCODING": "latin-1"},
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # as nohup does
        )
    os.close(theirs)
    seen = b""
    while b"before training" not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(timeout=240) == 3  # what stdout was to get is lost
    run = tmp_path / "runs" / "run"
    assert json.loads((run / "summary.json").read_text(encoding="utf-8"))["outcome"] == "completed"
    assert (run / "metrics.jsonl").read_text(encoding="utf-8").count("\n") == 4
    for folder in (run / "adapter", tmp_path / "saved"):
        assert (folder / "adapter_model.safetensors").is_file()
    log = (run / "run.log").read_text(encoding="utf-8")
    assert "Traceback" not in log and "to go on" not in log


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [("MININTERVAL", "soon", False), ("NCOLS", "", False), ("NCOLS", "1.5", False), ("DELAY", "0.5", True)],
)
def test_a_setting_of_progress_bars_that_is_no_number_is_forgotten(name: str, value: str, left: bool) -> None:
    code = (
        "import os; from fedmezo.core.process import begin; begin(); import tqdm; print(os.environ.get(f'TQDM_{NAME}'))"
    )
    code = code.replace("{NAME}", name)
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {f"TQDM_{name}": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == (f"{value}\n" if left else "None\n")
