"""The guide to evaluation is followed where it trains: its commands run, and say what it says."""

import json
import shlex
from pathlib import Path

import pytest

from fedmezo.main import main
from fedmezo.text_metrics import registry
from tests.guides.guide import Guide

GUIDE = Guide("evaluation.md")
SMALL = shlex.split(
    "model.type tiny-llama@random_llm federate.total_round_num 1 train.local_update_steps 1 engine.threads 1 "
    "data.num_examples 60 eval.max_examples 4 eval.generate.max_new_tokens 4 llm.tok_len 420 expname run"
)
METRICS = (["exact_match", "rouge_l"], ["exact_match", "f1"], ["rouge_l"])  # of each command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder with files of SQuAD and of Natural Instructions in ``data``."""
    GUIDE.begin(tmp_path, monkeypatch)
    Path("data").mkdir()
    for name, first in (("squad_train.jsonl", 0), ("squad_dev.jsonl", 20)):
        rows = [
            {
                "title": "Mills",
                "context": f"Mill {n} is old.",
                "question": f"Which, {n}?",
                "answers": {"text": [f"{n}"]},
            }
            for n in range(first, first + 20)
        ]
        Path("data", name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for task in range(3):
        instances = [{"input": f"{task} and {n}", "output": [str(task + n), "a sum"]} for n in range(20)]
        content = {"Definition": ["Add."], "Instances": instances}
        Path("data", f"task00{task}.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "metrics"), list(zip(GUIDE.commands, METRICS, strict=True)), ids=range(len(METRICS))
)
def test_its_commands_run(command: list[str], metrics: list[str]) -> None:
    assert main([*command, *SMALL]) == 0
    found = json.loads(Path("runs/run/summary.json").read_text(encoding="utf-8"))["answers"]["test"]
    assert [*found] == metrics
    for each in found.values():
        assert each.keys() == {"before", "after", "change", "intervals", "examples"} and each["examples"] == 4


def test_its_table_has_every_metric() -> None:
    for name in registry.names():
        assert f"`{name}`" in GUIDE.text.partition("| name | what |")[2].partition("\n\n")[0]
