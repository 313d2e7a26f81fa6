import os
import tempfile
from pathlib import Path

import pytest

from fedmezo.core.cache import cache_folder
from fedmezo.core.user import temporary_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FEDMEZO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_setting_goes_before_the_environment_and_that_before_the_users_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == home / ".cache/fedmezo"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/fedmezo")
    monkeypatch.setenv("FEDMEZO_CACHE", "/own")
    assert cache_folder() == Path("/own")
    assert cache_folder("/set") == Path("/set")


def test_a_tilde_is_the_users_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder("~/models") == home / "models"
    monkeypatch.setenv("FEDMEZO_CACHE", "~/elsewhere")
    assert cache_folder() == home / "elsewhere"


def test_where_the_users_folder_cannot_be_made_the_cache_is_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    temporary_folder.cache_clear()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = tmp_path / f"fedmezo-{os.geteuid()}" / "cache"
    assert cache_folder() == cache_folder() == folder
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path / 'file' / 'fedmezo'} cannot be made: the cache is {folder} (FEDMEZO_CACHE")
    temporary_folder.cache_clear()


def test_a_folder_that_is_there_is_read_even_if_it_cannot_be_written(home: Path) -> None:
    (home / ".cache" / "fedmezo").mkdir(parents=True)
    (home / ".cache" / "fedmezo").chmod(0o500)
    assert cache_folder() == home / ".cache/fedmezo"


def test_empty_variables_count_as_unset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDMEZO_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == home / ".cache/fedmezo"
