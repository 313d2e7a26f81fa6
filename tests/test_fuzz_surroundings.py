"""The fuzzing of what surrounds the programs, a few cases of each source; ``make fuzz`` tries 2,000."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

FEW = ("--folders", "3", "--environments", "1", "--signals", "2", "--descriptors", "1")


@pytest.mark.full
def test_a_few_cases_of_each_source_find_nothing() -> None:
    command = [sys.executable, "-m", "scripts.fuzz_surroundings", *FEW]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 failures" in ended.stdout
    for title in ("a model folder, wrong in", "started with", "got, at random instants,"):
        assert title in ended.stdout
