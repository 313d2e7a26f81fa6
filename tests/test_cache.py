from pathlib import Path

import pytest

from fedmezo.cache import cache_folder


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


def test_empty_variables_count_as_unset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDMEZO_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == home / ".cache/fedmezo"
