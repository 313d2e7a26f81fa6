"""The guide to classification is followed: its files are written as they stand, its commands run."""

import json
import re
import shlex
from pathlib import Path

import pytest

from fedmezo.data.load import DESCRIBED, find_task
from fedmezo.data.sources.source import Request
from fedmezo.main import main
from tests.conftest import REPOSITORY
from tests.data.sources.archives import write_distribution
from tests.guides.guide import Guide

GUIDE = Guide("classification.md")
SMALL = shlex.split(
    "model.type tiny-llama@random_llm federate.total_round_num 1 train.local_update_steps 1 engine.threads 1 "
    "expname run"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with the guide's files, and the archive where it is looked for first."""
    GUIDE.begin(tmp_path, monkeypatch)
    Path("data").mkdir()
    write_distribution(Path("data"))
    return tmp_path


def test_it_has_what_the_other_tests_look_for() -> None:
    assert set(GUIDE.files) == {"mood.yaml", "mood_train.csv"} and len(GUIDE.commands) == 4


@pytest.mark.parametrize("command", GUIDE.commands, ids=range(len(GUIDE.commands)))
def test_its_commands_run(command: list[str]) -> None:
    assert main([*command, *SMALL]) == 0
    summary = json.loads(Path("runs/run/summary.json").read_text(encoding="utf-8"))
    assert summary["metrics"].keys() in ({"accuracy", "auc"}, {"accuracy", "f1"}) and summary["baselines"].keys() == {
        "test"
    }


def test_its_table_has_every_task_with_its_label_words() -> None:
    rows = re.findall(r"^\| (`\S+@llm`.*?) \| .*? \| (.*?) \|$", GUIDE.text, flags=re.M)
    told = {name: words for names, words in rows for name in re.findall(r"`(\S+?)`", names)}
    assert told.keys() == DESCRIBED.keys()
    for name, words in told.items():
        task = find_task(Request(name, Path()))
        assert task is not None
        assert words == (", ".join(task.labels) if task.kind == "classification" else "none: generation")


def test_every_template_is_in_the_file_that_the_guide_names() -> None:
    for path in DESCRIBED.values():
        assert path.parent == REPOSITORY / "fedmezo" / "data" / "sources"
