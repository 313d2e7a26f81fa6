"""Datasets of the hub, as the ``datasets`` library reads them: here from a folder OWNER/NAME, which it takes first."""

import json
from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.examples import Dataset
from fedmezo.data.load import load_dataset
from fedmezo.data.sources.source import Request

datasets = pytest.importorskip("datasets")

CARD = """---
configs:
- config_name: plain
  data_files: [{split: train, path: plain/train.jsonl}, {split: validation, path: plain/validation.jsonl}]
- config_name: odd
  data_files: [{split: train, path: odd/train.jsonl}]
---
"""
FIELDS = {"instruction": "ask", "output": "say", "category": "kind"}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a dataset of two configurations where the library finds it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("fedmezo.data.sources.hub.why_unreachable", lambda: "it is out of reach")
    datasets.disable_progress_bars()
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "ours" / "rows"
    for folder, split, count in (("plain", "train", 5), ("plain", "validation", 2), ("odd", "train", 1)):
        (home / folder).mkdir(parents=True, exist_ok=True)
        rows = [{"ask": f"{folder} {n}?", "say": f"{split} {n}", "kind": "k", "more": [n]} for n in range(count)]
        (home / folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "README.md").write_text(CARD)


def load(name: str, fields: dict[str, str] = FIELDS) -> Dataset:
    return load_dataset(Request(name, Path("none"), fields=fields))


def test_a_configuration_and_its_training_split_are_read() -> None:
    dataset = load("ours/rows:plain@hub")
    assert [example.instruction for example in dataset.examples] == [f"plain {n}?" for n in range(5)]
    assert {example.category for example in dataset.examples} == {"k"}
    assert dataset.num_own_test == 0 and "ours/rows, split train" in dataset.source


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("ours/rows:plain:validation@hub", ["validation 0", "validation 1"]),
        ("ours/rows:plain:train[1:3]@hub", ["train 1", "train 2"]),
        ("ours/rows:odd@hub", ["train 0"]),
    ],
)
def test_configuration_and_split_may_be_named(name: str, outputs: list[str]) -> None:
    assert [example.output for example in load(name).examples] == outputs


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ours/rows@hub", "'odd'"),
        ("ours/rows:plane@hub", "'plain'"),
        ("ours/rows:plain:test@hub", "'validation'"),
        ("ours/nothing@hub", "ours/nothing"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(name: str, words: str) -> None:
    with pytest.raises(ResourceError, match="the hub gave nothing") as caught:
        load(name)
    assert words in str(caught.value) and "data.type arithmetic@llm" in str(caught.value)


def test_a_missing_field_is_told_with_the_columns_there_are() -> None:
    with pytest.raises(ResourceError) as caught:
        load("ours/rows:plain@hub", {})
    message = str(caught.value)
    assert "ours/rows, train: data.fields.instruction = instruction: no row has this field" in message
    assert "the rows have ask, say, kind, more" in message


def test_a_column_of_something_else_than_texts_is_refused() -> None:
    with pytest.raises(ResourceError, match="5 of 5 rows are malformed"):
        load("ours/rows:plain@hub", FIELDS | {"output": "more"})


def test_a_file_besides_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"data\.type names a dataset of the hub"):
        load_dataset(Request("ours/rows@hub", Path("none"), file="a.json"))
