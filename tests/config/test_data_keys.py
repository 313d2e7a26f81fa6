"""What the keys of the data take."""

from pathlib import Path

import pytest

from .conftest import Load, Mistakes


@pytest.mark.parametrize(
    "name",
    [
        "gsm8k@llm",
        "mine.jsonl",
        "MINE.JSONL",
        "openai/gsm8k@hub",
        "openai/gsm8k:main@hub",
        "openai/gsm8k:main:train[:100]@hub",
        "some-one/a.set_of::validation@hub",
    ],
)
def test_a_dataset_is_a_name_a_file_or_one_of_the_hub(load_text: Load, name: str) -> None:
    assert load_text("", "data.type", f"'{name}'").data.type == name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("code_alpca@llm", "; the nearest is code_alpaca@llm"),
        ("gsm8k@hub", "; the nearest is gsm8k@llm"),
        ("openai/gsm8k:@main@hub", ""),
        ("openai/gsm8k", ""),
    ],
)
def test_another_name_is_refused_with_what_there_is(mistakes: Mistakes, name: str, nearest: str) -> None:
    message = mistakes("", "data.type", name)
    assert message.endswith(
        "or a path ending in .json, .jsonl, .tsv, .csv, .parquet, .yaml or .yml, "
        f"or OWNER/NAME[:CONFIG[:SPLIT]]@hub{nearest}"
    )


def test_a_prompt_is_a_name_or_a_file_beside_the_one_that_names_it(load_text: Load, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("")
    assert load_text("", "data.prompt", "chat").data.prompt == "chat"
    prompt = load_text("data: {prompt: ours.yaml}").data.prompt
    assert Path(prompt).is_absolute() and Path(prompt).name == "ours.yaml" and Path(prompt).is_file()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("chta", "expected one of alpaca, chat, plain, or a file ending in .yaml or .yml; the nearest is chat"),
        ("'{instruction}'", "expected one of alpaca, chat, plain, or a file ending in .yaml or .yml"),
        ("our.yaml", "our.yaml: no such file; the nearest is ours.yaml"),
    ],
)
def test_another_prompt_is_refused(mistakes: Mistakes, tmp_path: Path, value: str, words: str) -> None:
    (tmp_path / "ours.yaml").write_text("")
    assert mistakes(f"data: {{prompt: {value}}}").endswith(words)


@pytest.mark.parametrize(
    ("value", "expected"), [("2025-03-01", "2025-03-01"), ("'20250301'", "2025-03-01"), ("''", "")]
)
def test_a_date_is_one_of_the_calendar(load_text: Load, value: str, expected: str) -> None:
    assert load_text(f"data: {{date: {value}}}").data.date == expected
    assert load_text("", "data.date", value).data.date == expected


@pytest.mark.parametrize("value", ["2025-02-30", "today", "2025", "[2025, 3, 1]", "2025-03-01 12:00", "null"])
def test_another_date_is_refused(mistakes: Mistakes, value: str) -> None:
    assert mistakes(f"data: {{date: {value}}}").endswith("expected a date such as 2024-07-26, or ''")
