"""What tests start does not outlive them."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.processes import MARK, end_with_this_process

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are watched on Linux only")

# a process in a session of its own, and one that it has started in the background
PARENT = """
import subprocess, sys, time
from tests.processes import end_with_this_process
watcher = end_with_this_process()
shell = ["sh", "-c", "sleep 600 & echo $!; wait"]
child = subprocess.Popen(shell, stdout=subprocess.PIPE, text=True, start_new_session=True)
print(watcher.pid, child.pid, int(child.stdout.readline()), flush=True)
time.sleep(600)
"""


def test_processes_end_with_the_test_process_that_is_killed() -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    waiting = {os.pidfd_open(int(pid)) for pid in parent.stdout.readline().split()}
    assert len(waiting) == 3 and select.select(list(waiting), [], [], 0.0)[0] == []
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while waiting:
        ended, _, _ = select.select(list(waiting), [], [], 60.0)
        assert ended, "a process goes on"
        waiting -= set(ended)


def test_these_tests_are_watched() -> None:
    watcher = end_with_this_process()
    assert watcher is not None and watcher.poll() is None
    command = Path(f"/proc/{watcher.pid}/cmdline").read_text(encoding="utf-8").split("\0")
    assert command[-3:-1] == [str(os.getpid()), os.environ[MARK]]
