"""What is typed is what is read: text as it is, and numbers as they look."""

from pathlib import Path
from typing import Any

import pytest

from fedmezo.core.documents.reading import read_document
from fedmezo.main import main
from tests.config.conftest import Load, Mistakes

ODD = (
    "my #1 dir",
    "a: b",
    "[old] data",
    "@x",
    "'quoted' once",
    "trailing ",
    "back\\slash",
    "{a}",
    "- a",
    "é 😀",
    "~/x",
)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.root", "{}"),
        ("outdir", "{}"),
        ("federate.save_to", "{}/adapter"),
        ("data.type", "{}/rows.jsonl"),
        ("model.type", "{}@huggingface_llm"),
        ("llm.cache.model", "{}"),
        ("trainer.note", "./{}.txt"),
    ],
)
def test_text_is_taken_as_it_is_typed(name: str, key: str, value: str, load_text: Load) -> None:
    typed = value.replace("{}", name, 1)
    found: Any = load_text("", key, typed)
    for part in key.split("."):
        found = found[part]
    assert found == typed


@pytest.mark.parametrize("name", ODD)
def test_files_are_found_whatever_their_names(
    name: str, load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text("", encoding="utf-8")
    (folder / "prompt.yaml").write_text("{}", encoding="utf-8")
    cfg = load_text("", "extensions", f"{name}/mine.py", "data.prompt", f"{name}/prompt.yaml")
    assert cfg.extensions == (str(tmp_path / name / "mine.py"),)
    assert cfg.data.prompt == str(tmp_path / name / "prompt.yaml")


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("data.root", "'my dir'", "my dir"),
        ("data.root", '"tab\\there"', "tab\there"),
        ("data.root", "", ""),
        ("eval.metrics", "loss", ("loss",)),
        ("eval.split", "[val, test]", ("val", "test")),
        ("eval.split", "(val, test)", ("val", "test")),
        ("data.splits", "[0.5, 0.25, 0.25]", (0.5, 0.25, 0.25)),
        ("zo.seed", "null", None),
        ("trainer.note", "null", None),
        ("trainer.note", "1e-3", 1e-3),
        ("trainer.note", "{a: 1}", {"a": 1}),
        ("trainer.note", "'1'", "1"),
    ],
)
def test_quotes_brackets_and_null_mean_what_a_file_means(key: str, typed: str, value: Any, load_text: Load) -> None:
    found: Any = load_text("", key, typed)
    for part in key.split("."):
        found = found[part]
    assert found == value


def test_a_mistake_is_shown_as_it_was_typed(mistakes: Mistakes) -> None:
    assert "command line  data.type = my #1 dir\n" in mistakes("", "data.type", "my #1 dir")
    assert "command line  extensions = [old] mine.py\n" in mistakes("", "extensions", "[old] mine.py")


@pytest.mark.parametrize(
    ("typed", "value"),
    [("010", 10), ("008", 8), ("+7", 7), ("'010'", 10), ("!!int 010", 10), ("09223372036854775807", 2**63 - 1)],
)
def test_numbers_are_decimal(typed: str, value: int, load_text: Load) -> None:
    assert load_text("", "seed", typed).seed == load_text(f"seed: {typed}").seed == value
    assert load_text("", "trainer.note", "[010, 1e1]").trainer.note == (10, 10.0)


@pytest.mark.parametrize(
    "typed",
    [
        "0o10",
        "0x10",
        "0b1",
        "1_000",
        "0_10",
        "1:30",
        "'1_000'",
        "!!int 0x10",
        "!!int 1:30",
        ".inf",
        "1" * 5000,
        "٣",
    ],
)
def test_what_looks_like_a_number_of_another_kind_is_refused(typed: str, mistakes: Mistakes) -> None:
    assert "expected an integer" in mistakes("", "seed", typed)
    assert "expected an integer" in mistakes(f"seed: {typed}")
    assert "expected a number" in mistakes(f"train: {{optimizer: {{lr: {typed}}}}}")


@pytest.mark.parametrize("typed", ["0x10", "0b1", "1_000", "1:30"])
def test_an_argument_of_any_kind_is_no_other_number_either(typed: str, mistakes: Mistakes, load_text: Load) -> None:
    assert "numbers are decimal" in mistakes("", "trainer.note", typed)
    assert "numbers are decimal" in mistakes(f"trainer: {{note: [{typed}]}}")
    assert load_text(f"trainer: {{note: '{typed}'}}").trainer.note == typed
    assert load_text(f"expname: {typed}").expname == typed


def test_suites_and_sweeps_read_numbers_likewise(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("seed: 010\nrates: [1e-3, 008, .5, -1]\nodd: [1_000, 0x10, 1:30]\n", encoding="utf-8")
    assert read_document(path) == {
        "seed": 10,
        "rates": [1e-3, 8, 0.5, -1],
        "odd": ["1_000", "0x10", "1:30"],
    }


def test_programs_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("", encoding="utf-8")
    assert main(["--cfg", str(tmp_path / "a.yaml"), "seed", "0x10"]) == 2
    assert "command line  seed = 0x10\n      expected an integer" in capsys.readouterr().err
