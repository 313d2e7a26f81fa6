"""Shipped configurations by name."""

from pathlib import Path

import pytest

from fedmezo import config
from fedmezo.commands import shipped
from fedmezo.core.errors import ConfigurationError
from tests.conftest import REPOSITORY


def test_names_are_those_of_the_files() -> None:
    assert shipped.folder() == REPOSITORY / "configs"
    assert {"quickstart", "federation", "alpaca_five-round"} <= set(shipped.names())
    assert shipped.find("quickstart") == REPOSITORY / "configs" / "quickstart.yaml"
    assert shipped.find("tiny", shipped.SWEEPS) == REPOSITORY / "configs" / "sweeps" / "tiny.yaml"


@pytest.mark.parametrize("name", shipped.names())
def test_every_one_stands_and_says_what_it_is(name: str) -> None:
    assert config.load(shipped.find(name))
    assert 20 < len(shipped.summary(shipped.find(name))) < 180


def test_a_file_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quickstart").mkdir()  # a folder is no file
    assert shipped.find("quickstart").is_absolute()
    Path("quickstart").rmdir()
    Path("quickstart").write_text("seed: 1\n", encoding="utf-8")
    assert shipped.find("quickstart") == Path("quickstart")
    assert shipped.find("mine.yaml") == Path("mine.yaml")  # whoever reads it says that it is not there


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"quickstat\n    no such .*; the nearest is quickstart;"):
        shipped.find("quickstat")
    with pytest.raises(ConfigurationError, match="the nearest is tiny"):
        shipped.find("tinny", shipped.SWEEPS)
