"""The paper's runs: their settings as a table, and rows of our own writing in the formats of their datasets."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.data.sources.archives import write_distribution

TOPICS = ("brainstorming", "classification", "closed_qa", "creative_writing")
MORE_TOPICS = ("general_qa", "information_extraction", "open_qa", "summarization")
LANGUAGES = ("Python", "R", "C++", "SQL", "Go", "X86-64 Assembly")


class Row(NamedTuple):
    """What sets a run apart from the others."""

    data: str
    splits: tuple[float, float, float]
    splitter: str
    trainer: str
    rate: float
    tok_len: int
    strategy: str = "frozen"


ALPACA = ("alpaca@llm", (0.998, 0.001, 0.001), "iid")
GSM8K = ("gsm8k@llm", (0.998, 0.001, 0.001), "iid")
DOLLY = ("dolly-15k@llm", (0.99, 0.0, 0.01), "meta")
CODE = ("rosetta_alpaca@llm", (0.99, 0.0, 0.01), "lda")
ROWS = {
    "mezo_testcase": Row("alpaca@llm", (0.98, 0.01, 0.01), "iid", "mezotrainer", 1e-5, 1000),
    "alpaca_mezo_iid": Row(*ALPACA, "mezotrainer", 1e-5, 1000),
    "alpaca_bpbased_iid": Row(*ALPACA, "llmtrainer", 1e-5, 1000),
    "gsm8k_mezo_iid": Row(*GSM8K, "mezotrainer", 2.5e-5, 1000),
    "gsm8k_bpbased_iid": Row(*GSM8K, "llmtrainer", 2.5e-5, 1000),
    "dolly_mezo_meta": Row(*DOLLY, "mezotrainer", 1e-5, 1000),
    "dolly_bpbased_meta": Row(*DOLLY, "llmtrainer", 1e-5, 1000),
    "code_mezo_lda": Row(*CODE, "mezotrainer", 2e-5, 650),
    "code_bpbased_lda": Row(*CODE, "llmtrainer", 2e-5, 650),
    "alpaca_frozen": Row(*ALPACA, "mezotrainer", 1e-5, 1000, "frozen"),
    "alpaca_random": Row(*ALPACA, "mezotrainer", 1e-5, 1000, "random"),
    "alpaca_round-wise": Row(*ALPACA, "mezotrainer", 1e-5, 1000, "round-wise"),
    "alpaca_five-round": Row(*ALPACA, "mezotrainer", 1e-5, 1000, "five-round"),
    "alpaca_model-diff": Row(*ALPACA, "mezotrainer", 1e-5, 1000, "model-diff"),
}
# one of each data set, splitter and trainer; the others are full
SOME = ("alpaca_mezo_iid", "code_bpbased_lda", "dolly_mezo_meta", "gsm8k_mezo_iid")
REST = ROWS.keys() - set(SOME)
SOME_PAPERS = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full) if name in REST else name for name in ROWS]
)


def write_data(folder: Path) -> None:
    """Write a small file of each dataset, named and formed as the real one."""
    folder.mkdir()
    alpaca = [{"instruction": f"Say {i}.", "input": "twice" * (i % 2), "output": f"{i} {i}"} for i in range(24)]
    (folder / "alpaca_data.json").write_text(json.dumps(alpaca), encoding="utf-8")
    code = [
        {"instruction": f"Print {i}.", "input": language, "output": f"print({i})"}
        for language in LANGUAGES
        for i in range(5)
    ]
    (folder / "rosetta_alpaca.json").write_text(json.dumps(code), encoding="utf-8")
    dolly = [
        {"instruction": f"{topic} {i} odd?", "context": "Think." * (i % 2), "response": f"No. {i}", "category": topic}
        for topic in TOPICS + MORE_TOPICS
        for i in range(4)
    ]
    _write_lines(folder / "databricks-dolly-15k.jsonl", dolly)
    gsm8k = [{"question": f"What is {i} + 1?", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"} for i in range(24)]
    _write_lines(folder / "gsm8k_train.jsonl", gsm8k[:18])
    _write_lines(folder / "gsm8k_test.jsonl", gsm8k[18:])
    write_distribution(folder)


def _write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
