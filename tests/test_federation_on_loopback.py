"""The script that takes a reader from nothing to a federation, and the page that quotes it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.federation.engines.loopback import free_port

SCRIPT = REPOSITORY / "scripts" / "federation_on_loopback.sh"
CONFIG = REPOSITORY / "configs" / "federation.yaml"
ALONE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]  # a network namespace with loopback only


def closed_off() -> list[str]:
    """Return what to put before a command to have it run without a network, where that is allowed."""
    try:
        return ALONE if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0 else []
    except FileNotFoundError:
        return []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the programs of this environment on the path; ``fedmezo-node`` also where the package is not installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    installed = Path(sys.executable).parent
    if not (installed / "fedmezo-node").exists():
        shim = folder / "fedmezo-node"
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m fedmezo.node "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(installed), str(folder), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    return folder


@pytest.mark.full
def test_it_runs(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = tmp_path / "federation"
    command = [*closed_off(), "bash", str(SCRIPT), str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert found.returncode == 0, f"{found.stdout}\n{found.stderr}"
    assert "3 of 3 recorded hashes of the parameters compared, all equal" in found.stdout
    assert [f"node {client}: left" in found.stdout for client in range(3)] == [True] * 3
    assert found.stdout.endswith("done: three nodes, six rounds\n")
    assert (folder / "runs" / "first" / "adapter" / "adapter_model.safetensors").exists()
