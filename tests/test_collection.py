"""What is collected is the same in every process, at any time: workers share tests out by their names."""

import gzip
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

CHANGES = re.compile(r"0x[0-9a-f]{6,}|\\x1f\\x8b\\x08\\x0[08](?!(?:\\x00){4})")  # an address, the time in a gzip's head


def collected(seed: str) -> list[str]:
    """Return the names of all tests, as another process collects them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    return [line for line in ended.stdout.splitlines() if "::" in line]


def test_no_name_holds_an_address_or_a_time(request: pytest.FixtureRequest) -> None:
    assert not [item.nodeid for item in request.session.items if CHANGES.search(item.nodeid)]


def test_names_that_change_are_known() -> None:
    packed = [str(gzip.compress(b"", mtime=time)) for time in (0, 1_764_000_000)]
    assert [bool(CHANGES.search(name)) for name in (*packed, repr(object()))] == [False, True, True]


@pytest.mark.full
@pytest.mark.timeout(900)
def test_another_process_collects_the_same_later() -> None:
    first = collected("1")
    assert first and collected("2") == first
