import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.download import WebFile
from fedmezo.data.examples import Example
from fedmezo.data.load import load_dataset
from fedmezo.data.sources import files
from fedmezo.data.sources.gsm8k import Gsm8k
from fedmezo.data.sources.source import Request
from fedmezo.main import main

QUESTIONS = [{"question": f"{n} + 1?", "answer": f"{n} + 1 = <<{n}+1={n + 1}>>\n#### {n + 1}"} for n in range(5)]


def write_lines(path: Path, values: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.mark.parametrize("folder", ["", "gsm8k"])
@pytest.mark.parametrize("prefix", ["", "gsm8k_"])
def test_gsm8k_reads_its_files_and_keeps_its_own_test(tmp_path: Path, folder: str, prefix: str) -> None:
    write_lines(tmp_path / folder / f"{prefix}train.jsonl", QUESTIONS[:3])
    write_lines(tmp_path / folder / f"{prefix}test.jsonl", QUESTIONS[3:])
    dataset = load_dataset(Request("gsm8k@llm", tmp_path))
    assert [example.instruction for example in dataset.examples] == [f"{n} + 1?" for n in range(5)]
    assert dataset.examples[1].output == "1 + 1 = <<1+1=2>>\nThe answer is 2"
    assert dataset.num_own_test == 2
    assert str(tmp_path / folder / f"{prefix}test.jsonl") in dataset.source


def test_gsm8k_without_a_test_file_has_no_own_test(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    assert load_dataset(Request("gsm8k@llm", tmp_path)).num_own_test == 0


def test_a_named_file_comes_first_and_brings_no_own_test(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    write_lines(tmp_path / "test.jsonl", QUESTIONS)
    write_lines(tmp_path / "mine.jsonl", QUESTIONS[:2])
    dataset = load_dataset(Request("gsm8k@llm", tmp_path, file="mine.jsonl"))
    assert (len(dataset.examples), dataset.num_own_test) == (2, 0)


@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_may_be_the_dataset(tmp_path: Path, absolute: bool) -> None:
    write_lines(tmp_path / "mine.jsonl", QUESTIONS[:2])
    name = str(tmp_path / "mine.jsonl") if absolute else "mine.jsonl"
    root = Path("nowhere") if absolute else tmp_path
    fields = {"instruction": "question", "output": "answer"}
    dataset = load_dataset(Request(name, root, fields=fields))
    assert dataset.examples[0].output.endswith("#### 1")
    assert dataset.name == name


def test_a_file_may_be_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "mine.jsonl", [{"instruction": "i", "output": "o"}])
    assert len(load_dataset(Request("mine.jsonl", Path("nowhere"))).examples) == 1


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    with pytest.raises(ResourceError, match=r"trian\.jsonl: no such file; the nearest is train\.jsonl"):
        load_dataset(Request("gsm8k@llm", tmp_path, file="trian.jsonl"))


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("a,b\n")
    with pytest.raises(ResourceError, match=r"a\.xml: expected a file ending in \.json, \.jsonl, "):
        load_dataset(Request("alpaca@llm", tmp_path, file="a.xml"))


@pytest.mark.parametrize("name", ["a.JSONL", "a.Json"])
def test_an_ending_in_capitals_is_the_same_format(tmp_path: Path, name: str) -> None:
    row = json.dumps({"instruction": "i", "output": "o"})
    (tmp_path / name).write_text(f"[{row}]" if name == "a.Json" else f"{row}\n{row}\n")
    assert load_dataset(Request(name, tmp_path)).examples[-1].output == "o"


def test_numbers_stand_as_they_are_written(tmp_path: Path) -> None:
    long = "1" * 5000  # more digits than Python makes a number of
    row = f'{{"instruction": 7E1, "input": {long}, "output": 1.50, "category": true, "id": {long}}}'
    (tmp_path / "a.jsonl").write_text(row)
    assert load_dataset(Request("a.jsonl", tmp_path)).examples == (Example("7E1", long, "1.50", "true"),)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"instruction": "i", "output": "a", "output": "b"}', "output is given twice"),
        ('{"instruction": "i", "output": "a", "id": 1, "id": 1}', "id is given twice"),
        ('{"instruction": "i", "output": null}', "output is null, expected a text, a number, true or false"),
        ('{"instruction": "i", "output": NaN}', "output is NaN, expected a text, a number, true or false"),
        ('{"instruction": "i", "output": -Infinity}', "output is -Infinity, expected"),
        ("3", "expected an object, found a number"),
    ],
)
def test_a_row_that_does_not_fit_is_named_with_its_line(
    tmp_path: Path, row: str, words: str, tiny_yaml: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good = json.dumps({"instruction": "i", "output": "o", "unused": [float("nan"), {}]})
    (tmp_path / "a.jsonl").write_text(f"{good}\r\n{row}\r\n")
    assert main(["--cfg", str(tiny_yaml()), "--check", "data.root", str(tmp_path), "data.type", "a.jsonl"]) == 3
    message = capsys.readouterr().err
    assert f"1 of 2 rows are malformed\n    {tmp_path}/a.jsonl:2: {words}" in message and "Traceback" not in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder.json", "expected a file, found a folder"),
        ("pipe.json", "expected a file, found a pipe or a device"),
        ("n" * 300 + ".json", "cannot be read: File name too long"),
        ("null\0.json", "no such file"),
    ],
)
def test_what_is_no_file_is_told(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ResourceError, match=words):
        load_dataset(Request(name, tmp_path))


def test_two_files_for_one_dataset_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.type names a file already"):
        load_dataset(Request("a.json", tmp_path, file="b.json"))


def test_an_unknown_dataset_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such dataset; the nearest is alpaca@llm"):
        load_dataset(Request("alpca@llm", tmp_path))


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A web that has GSM8K; the list holds what it was asked for."""
    asked: list[str] = []

    def give(file: WebFile, folder: Path) -> Path:
        asked.append(file.name)
        write_lines(folder / file.name, QUESTIONS[:4] if "train" in file.name else QUESTIONS[4:])
        return folder / file.name

    monkeypatch.setattr(files, "fetch", give)
    return asked


def test_the_web_is_asked_last(tmp_path: Path, web: list[str]) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    load_dataset(Request("gsm8k@llm", tmp_path))
    assert web == []


def test_files_of_the_web_become_examples(tmp_path: Path, web: list[str]) -> None:
    dataset = load_dataset(Request("gsm8k@llm", tmp_path / "none", downloads=tmp_path / "cache"))
    assert web == ["gsm8k_train.jsonl", "gsm8k_test.jsonl"]
    assert (len(dataset.examples), dataset.num_own_test) == (5, 1)
    assert dataset.examples[4].instruction == "4 + 1?" and str(tmp_path / "cache") in dataset.source


def test_a_test_file_is_found_without_its_training_file(tmp_path: Path, web: list[str]) -> None:
    request = Request("gsm8k@llm", tmp_path, downloads=tmp_path)
    for path in (tmp_path / "gsm8k" / "test.jsonl", tmp_path / "test.jsonl", tmp_path / "gsm8k_test.jsonl"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        assert Gsm8k().test_file(request) == path
    assert web == []
    assert Gsm8k().test_file(replace(request, root=tmp_path / "elsewhere")).is_file()
    assert web == ["gsm8k_test.jsonl"]


def test_the_real_datasets_load(real_data: Path) -> None:
    gsm8k = load_dataset(Request("gsm8k@llm", real_data))
    assert (len(gsm8k.examples), gsm8k.num_own_test) == (7473 + 1319, 1319)
    assert all("The answer is" in example.output for example in gsm8k.examples)
    assert len(load_dataset(Request("alpaca@llm", real_data, file="alpaca_999.json")).examples) == 999
    code = load_dataset(Request("code_alpaca@llm", real_data, file="code_alpaca_2k_language.jsonl"))
    assert sum(example.category == "Python" for example in code.examples) == 816
