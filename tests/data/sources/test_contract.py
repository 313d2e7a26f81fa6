"""The contract of a dataset, on every one that is registered: rows of our own writing, in the format of each."""

import json
from pathlib import Path
from typing import Any

import pytest

from fedmezo.core.errors import ResourceError
from fedmezo.data.examples import Example
from fedmezo.data.load import load_dataset
from fedmezo.data.sources import registry
from fedmezo.data.sources.source import Request
from tests.data.rows import DOLLY

INSTRUCTION = {"instruction": "Name a warm colour.", "input": "", "output": "Orange."}
# for each dataset: its file, a row of it, and the example that the row becomes
FORMATS: dict[str, tuple[str, dict[str, Any], Example]] = {
    "alpaca@llm": ("alpaca_data.json", INSTRUCTION, Example("Name a warm colour.", "", "Orange.", None)),
    "alpaca_cleaned@llm": (
        "alpaca_data_cleaned.json",
        INSTRUCTION,
        Example("Name a warm colour.", "", "Orange.", None),
    ),
    "code_alpaca@llm": (
        "code_alpaca_20k.json",
        {"instruction": "Double it.", "input": "x = 2", "output": "x *= 2", "language": "Python"},
        Example("Double it.", "x = 2", "x *= 2", "Python"),
    ),
    "dolly-15k@llm": (
        "databricks-dolly-15k.jsonl",
        DOLLY[0],
        Example(DOLLY[0]["instruction"], DOLLY[0]["context"], DOLLY[0]["response"], "closed_qa"),
    ),
    "gsm8k@llm": (
        "gsm8k_train.jsonl",
        {"question": "2 + 2?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4"},
        Example("2 + 2?", "", "2 + 2 = <<2+2=4>>4\nThe answer is 4", None),
    ),
    "rosetta_alpaca@llm": (
        "rosetta_alpaca.json",
        {"instruction": "Print three.", "input": "Haskell", "output": "main = print 3"},
        Example("Print three.", "Haskell", "main = print 3", "Haskell"),
    ),
}
FROM_FILES = sorted(set(registry.names()) - {"arithmetic@llm", "natural-instructions@llm"})


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) for row in rows]
    (folder / name).write_text("\n".join(lines) if name.endswith(".jsonl") else f"[{','.join(lines)}]")


@pytest.mark.parametrize("name", FROM_FILES)
@pytest.mark.parametrize("own_folder", [False, True])
def test_rows_in_its_format_become_examples(tmp_path: Path, name: str, own_folder: bool) -> None:
    file, row, example = FORMATS[name]
    write(tmp_path / name.removesuffix("@llm") if own_folder else tmp_path, file, [row, row])
    dataset = load_dataset(Request(name, tmp_path))
    assert dataset.examples == (example, example)
    assert (dataset.name, dataset.num_own_test) == (name, 0) and file in dataset.source


@pytest.mark.parametrize("name", FROM_FILES)
def test_without_a_network_it_says_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResourceError) as caught:
        load_dataset(Request(name, tmp_path, downloads=tmp_path / "cache"))
    message = str(caught.value)
    assert f"put {FORMATS[name][0]}" in message
    assert f"into {tmp_path} or {tmp_path / name.removesuffix('@llm')}" in message
    assert "https://" in message and "cannot be had: " in message and "data.type arithmetic@llm" in message


def test_generated_data_needs_neither(tmp_path: Path) -> None:
    assert len(load_dataset(Request("arithmetic@llm", tmp_path, num_examples=3)).examples) == 3


def test_only_the_meta_splitter_makes_do_without_the_rarest_language(tmp_path: Path) -> None:
    languages = ["C", "X86-64 Assembly", "Haskell"]
    rows = [{"instruction": "Print three.", "input": language, "output": "3"} for language in languages]
    write(tmp_path, "rosetta_alpaca.json", rows)
    kept = {
        splitter: [
            example.category
            for example in load_dataset(Request("rosetta_alpaca@llm", tmp_path, splitter=splitter)).examples
        ]
        for splitter in ("iid", "lda", "meta")
    }
    assert kept == {"iid": languages, "lda": languages, "meta": ["C", "Haskell"]}
