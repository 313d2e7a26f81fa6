"""Faults of a real deployment; the rest of them: ``python -m scripts.fault_test``."""

from pathlib import Path

import pytest

from scripts.fault_test import staged
from scripts.faults.catalogue import medley

pytestmark = pytest.mark.timeout(900)  # a dozen processes that import torch


@pytest.mark.full
def test_a_run_survives_a_client_that_raises_a_node_that_dies_and_a_server_that_dies(tmp_path: Path) -> None:
    """It verifies, and ends with the adapters of a run in one process."""
    scene = staged(tmp_path / "federation", medley)
    assert len(scene.rounds()) == 9
