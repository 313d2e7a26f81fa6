"""Users that the system does not know, as in a container: no name, no home, nothing that they could write to."""

import getpass
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedmezo.core.user import is_private, prepare_user_folders, temporary_folder


@pytest.fixture
def unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def getpwuid(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
        monkeypatch.delenv(name)
    temporary_folder.cache_clear()
    yield
    temporary_folder.cache_clear()


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize("home", [None, "/nowhere/at/all"])
def test_gets_a_name_and_a_home_of_its_own(home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if home is not None:
        monkeypatch.setenv("HOME", home)
    prepare_user_folders()
    assert getpass.getuser() == f"uid{os.getuid()}"
    assert Path.home() == tmp_path / f"fedmezo-{os.geteuid()}" and Path.home().stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("unknown")
def test_what_others_may_write_to_is_not_taken(tmp_path: Path) -> None:
    theirs = tmp_path / f"fedmezo-{os.geteuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    assert not is_private(theirs)
    assert temporary_folder() != theirs and is_private(temporary_folder())


def test_a_user_with_a_name_and_a_home_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USER", "somebody")
    prepare_user_folders()
    assert (os.environ["HOME"], os.environ["USER"]) == (str(tmp_path), "somebody")


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can be somebody else")
def test_a_run_of_a_containers_user(tiny_yaml: Callable[..., Path], tmp_path: Path) -> None:
    """Without an entry in passwd, allowed to read everything, and to write to one folder."""
    tmp_path.chmod(0o777)
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    user = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", *rights, sys.executable]
    places = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}
    allowed = subprocess.run([*user, "-c", "import torch"], env=places, cwd=tmp_path, capture_output=True, check=False)
    if allowed.returncode:
        pytest.skip("this system does not let root give rights away")
    words = ["-m", "fedmezo.main", "--cfg", str(tiny_yaml()), "expname", "run", "federate.total_round_num", "1"]
    places["PYTHONPATH"] = str(Path(__file__).parents[2])
    found = subprocess.run([*user, *words], env=places, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr and "Permission denied" not in found.stderr
    assert (tmp_path / "runs" / "run" / "adapter" / "adapter_model.safetensors").is_file()
    compiled = list((tmp_path / "fedmezo-12345").rglob("*.nbi"))
    assert compiled, "the code that numba compiled is kept"
    assert not (tmp_path / "~").exists()
