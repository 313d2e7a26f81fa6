"""A wheel, installed where no checkout is: the command, with all that it needs, runs a shipped configuration."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.conftest import REPOSITORY

SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "fedmezo", "configs")
TINY = (
    "model.type tiny-llama@random_llm federate.total_round_num 1 train.local_update_steps 1 data.num_examples 60 "
    "eval.max_examples 4 engine.threads 1"
)
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, as setuptools leaves things behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / name, folder / name)
    build = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run(build, cwd=folder, check=True)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def files(folder: str) -> set[str]:
    """Return the names of a folder's files in the repository."""
    found = (path.relative_to(REPOSITORY) for path in (REPOSITORY / folder).rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


@pytest.mark.integration
def test_it_has_every_file_of_the_package_and_the_configurations(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files("fedmezo") | {f"fedmezo/{name}" for name in files("configs")}


@pytest.mark.integration
def test_its_metadata_are_valid(wheel: Path) -> None:
    """As an index would check them."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        found = Metadata.from_email(archive.read(name), validate=True)
    assert found.license_expression == "Apache-2.0" and found.description_content_type == "text/markdown"
    assert str(found.version) == importlib.metadata.version("fedmezo")


@pytest.mark.full
def test_its_command_runs_a_configuration_by_name(wheel: Path, tmp_path: Path) -> None:
    """Only the package itself is installed anew; what it needs is this environment's."""
    site = tmp_path / "site"
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)

    def fedmezo(*words: str) -> str:
        command = [sys.executable, str(site / "bin" / "fedmezo"), *words]
        environment = os.environ | {"PYTHONPATH": str(site)}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [sys.executable, "-c", "import fedmezo.commands.shipped as shipped; print(shipped.folder())"]
    found = subprocess.run(
        where, env=os.environ | {"PYTHONPATH": str(site)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert found.stdout.strip() == str(site / "fedmezo" / "configs")
    assert "\n  quickstart " in fedmezo("config", "list")
    assert "more rounds" in fedmezo("run", "quickstart", *TINY.split())
    assert (tmp_path / "runs" / "quickstart" / "adapter" / "adapter_model.safetensors").exists()
    assert "all equal" in fedmezo("replay", "runs/quickstart", "--verify")
    assert "report.html" in fedmezo("report", "runs/quickstart")
