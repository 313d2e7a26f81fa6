import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from fedmezo.data.load import load_dataset
from fedmezo.errors import ConfigurationError, ResourceError

QUESTIONS = [{"question": f"{n} + 1?", "answer": f"{n} + 1 = <<{n}+1={n + 1}>>\n#### {n + 1}"} for n in range(5)]


def write_lines(path: Path, values: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture
def unreachable_hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that fails; the list holds what it was asked for."""
    asked: list[str] = []

    def load(path: str, config: str | None, split: str) -> None:
        asked.append(path)
        raise ConnectionError("no route to the hub")

    fake, exceptions = ModuleType("datasets"), ModuleType("datasets.exceptions")
    fake.config = SimpleNamespace(HF_HUB_OFFLINE=False)  # type: ignore[attr-defined]
    fake.load_dataset = load  # type: ignore[attr-defined]
    exceptions.DatasetsError = type("DatasetsError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    monkeypatch.setitem(sys.modules, "datasets.exceptions", exceptions)
    return asked


@pytest.mark.parametrize("folder", ["", "gsm8k"])
@pytest.mark.parametrize("prefix", ["", "gsm8k_"])
def test_gsm8k_reads_its_files_and_keeps_its_own_test(tmp_path: Path, folder: str, prefix: str) -> None:
    write_lines(tmp_path / folder / f"{prefix}train.jsonl", QUESTIONS[:3])
    write_lines(tmp_path / folder / f"{prefix}test.jsonl", QUESTIONS[3:])
    dataset = load_dataset("gsm8k@llm", root=tmp_path)
    assert [example.instruction for example in dataset.examples] == [f"{n} + 1?" for n in range(5)]
    assert dataset.examples[1].output == "1 + 1 = <<1+1=2>>\nThe answer is 2"
    assert dataset.num_own_test == 2
    assert str(tmp_path / folder / f"{prefix}test.jsonl") in dataset.source


def test_gsm8k_without_a_test_file_has_no_own_test(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    assert load_dataset("gsm8k@llm", root=tmp_path).num_own_test == 0


def test_a_named_file_comes_first_and_brings_no_own_test(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    write_lines(tmp_path / "test.jsonl", QUESTIONS)
    write_lines(tmp_path / "mine.jsonl", QUESTIONS[:2])
    dataset = load_dataset("gsm8k@llm", root=tmp_path, file="mine.jsonl")
    assert (len(dataset.examples), dataset.num_own_test) == (2, 0)


@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_may_be_the_dataset(tmp_path: Path, absolute: bool) -> None:
    write_lines(tmp_path / "mine.jsonl", QUESTIONS[:2])
    name = str(tmp_path / "mine.jsonl") if absolute else "mine.jsonl"
    root = Path("nowhere") if absolute else tmp_path
    fields = {"instruction": "question", "output": "answer", "category": ""}
    dataset = load_dataset(name, root=root, fields=fields)
    assert dataset.examples[0].output.endswith("#### 1")
    assert dataset.name == name


def test_a_file_may_be_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "mine.jsonl", [{"instruction": "i", "output": "o"}])
    assert len(load_dataset("mine.jsonl", root=Path("nowhere")).examples) == 1


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    with pytest.raises(ResourceError, match=r"trian\.jsonl: no such file; the nearest is train\.jsonl"):
        load_dataset("gsm8k@llm", root=tmp_path, file="trian.jsonl")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(ResourceError, match=r"a\.csv: expected a file ending in \.json or \.jsonl"):
        load_dataset("alpaca@llm", root=tmp_path, file="a.csv")


def test_two_files_for_one_dataset_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.type names a file already"):
        load_dataset("a.json", root=tmp_path, file="b.json")


def test_an_unknown_dataset_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such dataset; the nearest is alpaca@llm"):
        load_dataset("alpca@llm", root=tmp_path)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("gsm8k@llm", "gsm8k_train.jsonl (with gsm8k_test.jsonl) or train.jsonl (with test.jsonl)"),
        ("alpaca@llm", "alpaca_data.json"),
        ("code_alpaca@llm", "code_alpaca_20k.json"),
    ],
)
def test_without_files_and_hub_the_message_says_what_to_do(
    tmp_path: Path, unreachable_hub: list[str], name: str, file: str
) -> None:
    with pytest.raises(ResourceError) as caught:
        load_dataset(name, root=tmp_path)
    message = str(caught.value)
    assert f"put {file} into {tmp_path} or {tmp_path / name.removesuffix('@llm')}" in message
    assert "no route to the hub" in message and "data.type arithmetic@llm" in message
    assert len(unreachable_hub) == 1


def test_the_hub_is_asked_last(tmp_path: Path, unreachable_hub: list[str]) -> None:
    write_lines(tmp_path / "train.jsonl", QUESTIONS)
    load_dataset("gsm8k@llm", root=tmp_path)
    assert unreachable_hub == []


def test_hub_rows_become_examples(tmp_path: Path, unreachable_hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: str, config: str | None, split: str) -> list[dict[str, str]]:
        return {"train": QUESTIONS[:4], "test": QUESTIONS[4:]}[split]

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", load)
    dataset = load_dataset("gsm8k@llm", root=tmp_path)
    assert (len(dataset.examples), dataset.num_own_test) == (5, 1)
    assert dataset.examples[4].instruction == "4 + 1?"


def test_the_real_datasets_load(real_data: Path) -> None:
    gsm8k = load_dataset("gsm8k@llm", root=real_data)
    assert (len(gsm8k.examples), gsm8k.num_own_test) == (7473 + 1319, 1319)
    assert all("The answer is" in example.output for example in gsm8k.examples)
    assert len(load_dataset("alpaca@llm", root=real_data, file="alpaca_999.json").examples) == 999
    code = load_dataset("code_alpaca@llm", root=real_data, file="code_alpaca_2k_language.jsonl")
    assert sum(example.category == "Python" for example in code.examples) == 816
