"""``python -m fedmezo.evaluate`` of a classification: the accuracy of its own evaluation, here and by stock lm_eval."""

import json
from pathlib import Path

import lm_eval
import pytest
from lm_eval.tasks import TaskManager

from fedmezo.evaluate import main
from tests.evaluation.tasks.gsm import trained

RUN = ("data.type", "opinions@llm", "criterion.type", "auto", "eval.metrics", "[loss, accuracy]", "eval.split", "test")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run whose label words are tokens; of others lm_eval compares all tokens, and training the first ones."""
    words = ("data.template", "{text} Yes?", "data.label_words", "[N, Y]", "eval.max_examples", "40")
    best = ("eval.best_res_update_round_wise_key", "test_loss")
    return trained(tmp_path_factory.mktemp("classified"), *RUN, *words, *best).path


def test_its_accuracies_are_those_of_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))["metrics"]["accuracy"]["test"]
    assert main([str(run)]) == 0
    assert "held_out" in capsys.readouterr().out
    for after, name in ((0, "before"), (4, "after")):
        found = json.loads((run / "evaluation" / f"after_{after}" / "held_out.json").read_text(encoding="utf-8"))
        assert [row["value"] for row in found["scores"]] == [pytest.approx(summary[name])]


def test_stock_lm_eval_finds_the_same_from_the_saved_adapter(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    assert main([str(run), "--round", "final"]) == 0
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(run.parents[1] / "model"), "peft": str(run / "adapter"), "dtype": "float32"},
        tasks=["held_out"],
        task_manager=TaskManager(include_path=str(run / "evaluation"), include_defaults=False),
        batch_size=8,
        device="cpu",
    )
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert found["results"]["held_out"]["acc,none"] == pytest.approx(summary["metrics"]["accuracy"]["test"]["after"])


def test_a_run_without_classes_has_no_such_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trained(tmp_path, "federate.total_round_num", "1").path
    assert main([str(path), "--tasks", "held_out"]) == 2
    assert "--tasks held_out\n    it is for classification; gsm8k@llm is none" in capsys.readouterr().err
