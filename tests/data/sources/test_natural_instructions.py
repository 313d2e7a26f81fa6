"""Natural Instructions: files of one task each, in the format of its public files."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.examples import Example
from fedmezo.data.load import load_dataset
from fedmezo.data.sources.source import Request

NAME = "natural-instructions@llm"
COLOURS: dict[str, Any] = {
    "Contributors": ["none"],
    "Categories": ["Question Answering"],
    "Definition": ["Name the colour."],
    "Positive Examples": [{"input": "grass", "output": "green", "explanation": ""}],
    "Instances": [
        {"id": "task007-1", "input": "The sky.", "output": ["Blue", "It is blue."]},
        {"id": "task007-2", "input": "Snow.", "output": ["White"]},
    ],
}
SUMS: dict[str, Any] = {"Definition": ["Add.", "Say the sum."], "Instances": [{"input": "1 and 2", "output": [3]}]}


def write(folder: Path, name: str, content: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("own_folder", [False, True])
def test_every_file_is_a_task_and_a_category(tmp_path: Path, own_folder: bool) -> None:
    folder = tmp_path / "natural-instructions" if own_folder else tmp_path
    write(folder, "task008_sums.json", SUMS)
    write(folder, "task007_colours.json", COLOURS)
    write(folder, "other.json", [])
    data = load_dataset(Request(NAME, tmp_path))
    assert data.examples == (
        Example("Name the colour.", "The sky.", "Blue", "task007_colours", references=("Blue", "It is blue.")),
        Example("Name the colour.", "Snow.", "White", "task007_colours", references=("White",)),
        Example("Add.\nSay the sum.", "1 and 2", "3", "task008_sums", references=("3",)),
    )
    assert data.source == f"2 files {folder / 'task*.json'}" and data.num_own_test == 0


def test_one_file_is_read_where_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, "task007.json", COLOURS)
    path = write(tmp_path, "mine.json", SUMS)
    data = load_dataset(Request(NAME, tmp_path, file="mine.json"))
    assert len(data.examples) == 1 and data.source == str(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([COLOURS], "task007.json: expected an object with Definition and a list of Instances"),
        ({"Definition": "Add."}, "task007.json: expected an object with Definition and a list of Instances"),
        (SUMS | {"Definition": None}, "task007.json: Definition is null, expected a text or a list of texts"),
        (SUMS | {"Instances": ["1"]}, "task007.json: instance 1: expected an object, found a text"),
        (
            SUMS | {"Instances": [*SUMS["Instances"], {"input": "1"}]},
            "task007.json: instance 2: output is null, expected a list of texts, at least one",
        ),
        (
            SUMS | {"Instances": [{"input": "1", "output": []}]},
            "instance 1: output is a list, expected a list of texts",
        ),
        (SUMS | {"Instances": [{"input": [], "output": ["1"]}]}, "instance 1: input is a list, expected a text"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, content: object, expected: str) -> None:
    write(tmp_path, "task007.json", content)
    with pytest.raises(ResourceError) as caught:
        load_dataset(Request(NAME, tmp_path))
    assert expected in str(caught.value)


def test_no_file_and_other_fields_are_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"no local file\n    put files task\*\.json of Natural Instructions into"):
        load_dataset(Request(NAME, tmp_path))
    with pytest.raises(ConfigurationError, match=r"data\.fields\.input = text\n    natural-instructions@llm has the"):
        load_dataset(Request(NAME, tmp_path, fields={"input": "text"}))
