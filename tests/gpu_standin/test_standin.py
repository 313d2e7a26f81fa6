"""Tests marked ``gpu``, on the stand-in: in processes of their own, as a device is there for all tests of one."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.gpu_standin.build import obstacle

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=obstacle())
MARK = "mark.gpu"
# about as long each, so that two processes share them
RUNS = ("tests/test_matrix_on_gpus.py",)
OTHERS = tuple(
    sorted(
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if MARK in path.read_text(encoding="utf-8") and path.name != "test_standin.py"
    )
)
FILES = {"runs": RUNS, "others": tuple(sorted(set(OTHERS) - set(RUNS)))}


# of all tests: they compare with what they compute themselves, wherever the model is
ON_ANY_DEVICE = (
    "tests/training/test_mezo.py::test_a_step_is_the_formula",
    "tests/training/test_mezo.py::test_losses_that_a_kind_of_step_wants_are_of_the_same_batch",
    "tests/test_half_precision.py::test_a_client_moves_as_its_scalars_and_the_seed_say",
    "tests/commands/test_cost_estimate.py::test_the_estimate_adds_up_the_runs_own_batches",
    "tests/commands/suggest/test_suggest.py::test_a_move_is_where_a_round_of_one_step_leads_to",
)


def on_the_standin(expression: str, files: tuple[str, ...], seconds: int) -> None:
    """Run the tests of some files, or tests by name, that an expression of marks selects."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.gpu_standin.plugin"]
    command += ["-p", "no:xdist", "-m", expression, "--timeout", str(seconds), *files]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", FILES)
def test_what_needs_a_gpu(part: str) -> None:
    on_the_standin("gpu and not full", FILES[part], 1800)


@pytest.mark.timeout(900)
def test_what_holds_on_any_device() -> None:
    on_the_standin("not full", ON_ANY_DEVICE, 900)


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_the_whole_matrix() -> None:
    on_the_standin("gpu and full", RUNS, 7200)
