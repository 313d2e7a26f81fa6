"""The Makefile: what its targets would do."""

import os
import subprocess
from pathlib import Path

from tests.conftest import REPOSITORY


def would_do(target: str, venv: Path) -> list[str]:
    """Return the commands of a target, where nothing is installed yet."""
    command = ["make", "--dry-run", "--no-print-directory", target, f"VENV={venv}"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # tests run under make
    done = subprocess.run(command, cwd=REPOSITORY, env=alone, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_the_demo_installs_what_a_run_needs_and_ends_with_its_report(tmp_path: Path) -> None:
    done = would_do("demo", tmp_path)
    assert [line.split()[-1] for line in done if "--editable" in line] == ["'.[llm]'"]
    assert done[-2].endswith("fedmezo run quickstart") and "fedmezo report" in done[-1]


def test_the_tests_install_what_tests_need_besides_and_the_demo_nothing_after_them(tmp_path: Path) -> None:
    done = would_do("test", tmp_path)
    assert {line.split()[-1] for line in done if "--editable" in line} == {"'.[llm,test]'"}
    (touched, *_) = (line.split()[1:] for line in done if line.startswith("touch "))
    for name in touched:
        Path(name).touch()
    assert not any("pip" in line for target in ("demo", "test") for line in would_do(target, tmp_path))
