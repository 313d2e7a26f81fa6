"""``python -m fedmezo.evaluate``: tasks put to a run's model, with the numbers that stock lm_eval gives."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lm_eval
import numpy as np
import pytest
import yaml
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from fedmezo import config
from fedmezo.commands.arguments import READING
from fedmezo.commands.generate import never
from fedmezo.commands.load_run import rebuild
from fedmezo.core.run_folder import RunFolder
from fedmezo.data.examples import Example
from fedmezo.data.prompts.alpaca import ALPACA
from fedmezo.evaluate import main
from fedmezo.evaluation.tasks import tasks
from fedmezo.main import main as train
from fedmezo.models.generation import Sampling
from tests.evaluation.tasks.gsm import ROWS, trained
from tests.evaluation.tasks.test_task_files import MOOD

Key = tuple[int, str]
FEW = ("--limit", "3", "--batch-size", "2")


@pytest.fixture(autouse=True)
def without_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what lm_eval says of the machine, which takes a second each time."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a run that tests evaluate, each removing what it wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDMEZO_CACHE", str(tmp_path_factory.mktemp("cache")))
        return trained(tmp_path_factory.mktemp("evaluated"))


@pytest.fixture
def folder(run: RunFolder, tmp_path: Path) -> RunFolder:
    """Return the run where nothing of it was evaluated yet."""
    if (run.path / "evaluation").exists():
        (run.path / "evaluation").rename(tmp_path / "before")
    return run


def answers(folder: RunFolder, rounds_done: int) -> dict[Key, dict[str, Any]]:
    path = folder.path / "evaluation" / f"after_{rounds_done}" / "gsm8k_local.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(row["example"], row["filter"]): row for row in rows}


def scores(folder: RunFolder, rounds_done: int) -> dict[str, tuple[float, float]]:
    path = folder.path / "evaluation" / f"after_{rounds_done}" / "gsm8k_local.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["scores"]
    return {row["filter"]: (row["value"], row["standard_error"]) for row in rows}


def stock(folder: RunFolder, **model: str) -> tuple[dict[str, tuple[float, float]], dict[Key, Any]]:
    """Return scores and answers by lm_eval alone, from the task file, the base model and the adapter."""
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args=model,
        tasks=["gsm8k_local"],
        task_manager=TaskManager(include_path=str(folder.path / "evaluation"), include_defaults=False),
        limit=3,
        batch_size=2,
        device="cpu",
    )
    row = found["results"]["gsm8k_local"]
    values = {
        name: (row[f"exact_match,{name}"], row[f"exact_match_stderr,{name}"])
        for name in ("strict-match", "flexible-extract")
    }
    return values, {(row["doc_id"], row["filter"]): row["resps"] for row in found["samples"]["gsm8k_local"]}


def said(rows: Mapping[Key, Mapping[str, Any]]) -> dict[Key, Any]:
    return {key: row["answers"] for key, row in rows.items()}


@pytest.mark.integration
def test_stock_lm_eval_gets_the_same_answers_and_numbers(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same batches, padded alike, and with the network closed (conftest)."""
    batches: list[Any] = []
    generate = HFLM._model_generate

    def recorded(self: HFLM, context: Any, **options: Any) -> Any:
        batches.append(context.tolist())
        return generate(self, context, **options)

    monkeypatch.setattr(HFLM, "_model_generate", recorded)
    base = str(folder.path.parents[1] / "model")
    assert main([str(folder.path), *FEW]) == 0
    before, after = answers(folder, 0), answers(folder, 4)
    assert (scores(folder, 0), said(before)) == stock(folder, pretrained=base)
    assert (scores(folder, 4), said(after)) == stock(folder, pretrained=base, peft=str(folder.path / "adapter"))
    assert [len(batch) for batch in batches] == [2, 1] * 4 and batches[:4] == batches[4:]
    assert said(before) != said(after) and len(after) == 6
    for example in range(3):
        question = Example(ROWS[example]["question"], "", "", None)
        assert after[example, "strict-match"]["asked"] == [ALPACA(question)]


@pytest.mark.full
def test_a_model_trained_as_a_whole_is_asked_as_it_was_saved(tmp_path: Path) -> None:
    folder = trained(tmp_path, "train.optimizer.lr", "0.01", llm={"tok_len": 420, "adapter": {"use": False}})
    assert main([str(folder.path), "--round", "final", *FEW]) == 0
    assert (scores(folder, 4), said(answers(folder, 4))) == stock(folder, pretrained=str(folder.path / "adapter"))
    assert said(answers(folder, 4)) != stock(folder, pretrained=str(tmp_path / "model"))[1]


def test_a_task_file_of_the_users_is_asked_as_well(folder: RunFolder, tmp_path: Path) -> None:
    """Of another kind: choices are scored, nothing is generated."""
    rows = [{"text": text, "label": number % 2} for number, text in enumerate(("good", "bad", "fine", "odd", "so"))]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    content = {
        "task": "mood",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "rows.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{text}}:",
        "doc_to_choice": ["glad", "sad"],
        "doc_to_target": "label",
    }
    path = tmp_path / "mood.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert main([str(folder.path), "--tasks", str(path)]) == 0
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(folder.path.parents[1] / "model"), "peft": str(folder.path / "adapter")},
        tasks=[str(path)],
        task_manager=TaskManager(include_defaults=False),
        batch_size=2,
        device="cpu",
    )
    row = found["results"]["mood"]
    ours = json.loads((folder.path / "evaluation" / "after_4" / "mood.json").read_text(encoding="utf-8"))
    values = {score["metric"]: (score["value"], score["standard_error"]) for score in ours["scores"]}
    assert values == {name: (row[f"{name},none"], row[f"{name}_stderr,none"]) for name in ("acc", "acc_norm")}
    assert 0 < values["acc"][0] < 1


Reply = Callable[[int, int], str]


def replying(monkeypatch: pytest.MonkeyPatch, reply: Reply) -> list[list[str]]:
    """Have models answer ``reply(point, cats)``, points counted in order, and return what they are asked."""
    points: list[HFLM] = []
    asked: list[list[str]] = []

    def generate_until(self: HFLM, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        if self not in points:
            points.append(self)
        asked.append([request.args[0] for request in requests])
        cats = [next(i for i in range(1, 9) if f"have {i} cats" in prompt) for prompt in asked[-1]]
        return [reply(points.index(self), number) for number in cats]

    monkeypatch.setattr(HFLM, "generate_until", generate_until)
    return asked


def test_scores_standard_errors_and_the_paired_change_are_those_by_hand(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reply(point: int, cats: int) -> str:
        if cats <= 2:
            return f"{cats} * 4 = {4 * cats}\nThe answer is {4 * cats}"
        if cats == 3:
            return "It is $12." if point == 0 else "So #### $12.\n\nThe answer is 13"
        return "The answer is 16." if point and cats == 4 else "No idea 7"

    replying(monkeypatch, reply)
    assert main([str(folder.path)]) == 0
    error = {hits: np.sqrt(hits / 8 * (1 - hits / 8) / 7) for hits in (2, 3, 4)}
    for rounds_done, hits in ((0, 2), (4, 4)):
        found = scores(folder, rounds_done)
        assert found["strict-match"] == pytest.approx((hits / 8, error[hits]))
        assert found["flexible-extract"] == pytest.approx((3 / 8, error[3]))
    strict = np.array([0, 0, 1, 1, 0, 0, 0, 0]).std(ddof=1) / np.sqrt(8)
    flexible = np.array([0, 0, -1, 1, 0, 0, 0, 0]).std(ddof=1) / np.sqrt(8)
    assert capsys.readouterr().out.splitlines() == [
        "gsm8k_local: exact_match, strict-match (8 examples)",
        f"  before training  0.2500 ± {error[2]:.4f}",
        f"  after 4 rounds   0.5000 ± {error[4]:.4f}   change +0.2500 ± {strict:.4f} (paired)",
        "gsm8k_local: exact_match, flexible-extract (8 examples)",
        f"  before training  0.3750 ± {error[3]:.4f}",
        f"  after 4 rounds   0.3750 ± {error[3]:.4f}   change +0.0000 ± {flexible:.4f} (paired)",
    ]


def test_what_was_answered_is_not_asked_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted = False

    def reply(point: int, cats: int) -> str:
        if interrupted and len(asked) == 3:
            raise KeyboardInterrupt
        return f"The answer is {4 * cats}"

    asked = replying(monkeypatch, reply)
    only = ("--round", "final", "--limit", "5", "--batch-size", "2")
    assert main([str(folder.path), *only]) == 0
    whole, batches = answers(folder, 4), list(asked)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    place = folder.path / "evaluation" / "after_4"
    (place / "gsm8k_local.json").unlink()
    asked.clear()
    interrupted = True
    assert main([str(folder.path), *only]) == 130
    told = capsys.readouterr().err
    assert "the same command goes on from there" in told and "Traceback" not in told
    interrupted = False
    asked.clear()
    assert main([str(folder.path), *only]) == 0
    assert asked == batches[2:] and answers(folder, 4) == whole
    assert sorted(path.name for path in place.iterdir()) == ["gsm8k_local.json", "gsm8k_local.jsonl"]
    assert main([str(folder.path), *only]) == 0
    assert asked == batches[2:] and "answered before" in capsys.readouterr().err
    assert main([str(folder.path), "--round", "final", "--limit", "3", "--batch-size", "2"]) == 0
    assert len(asked) == 3


def test_rounds_are_asked_once_each_and_compared_with_the_first(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replying(monkeypatch, lambda point, cats: "")
    assert main([str(folder.path), "--round", "2", "final", "4", "0", "--limit", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["after", "2"], ["after", "4"], ["before", "training"]]
    assert [("paired" in line) for line in lines[1:4]] == [False, True, True]


class Manager:
    """Knows a task that runs code."""

    all_tasks = ("gsm8k", "humaneval", "mmlu")

    def load(self, names: Sequence[str]) -> dict[str, Any]:
        if names == ["mmlu"]:
            raise ConnectionError("no mmlu\nfor you")
        task = SimpleNamespace(UNSAFE_CODE=True, dump_config=dict, eval_docs=[])
        return {"tasks": dict.fromkeys(names, task)}


def test_mistakes_are_told(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "_manager", Manager)
    run = str(folder.path)
    for arguments, code, words in (
        (["--round", "9"], 2, "expected 0 to 4"),
        (["--tasks", "gsm8k_locl"], 2, "the nearest is gsm8k_local"),
        (["--tasks", "humanevil"], 2, "the nearest is humaneval"),
        (["--tasks", "mine.yaml"], 2, "there is no such file"),
        (["--tasks", "humaneval"], 2, "expected with --run-code"),
        (["--tasks", "mmlu"], 3, "no mmlu\n    the hub cannot be reached; gsm8k_local and held_out need none"),
        (["--data", str(tmp_path)], 3, str(tmp_path / "gsm8k_test.jsonl")),
    ):
        assert main([run, *arguments]) == code, arguments
        assert words in (error := capsys.readouterr().err) and "Traceback" not in error
    (tmp_path / "gsm8k_test.jsonl").write_text('{"question": "How many?"}\n', encoding="utf-8")
    assert main([run, "--data", str(tmp_path)]) == 3
    assert f"{tmp_path / 'gsm8k_test.jsonl'}: data.fields.output = answer: no row has" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 3
    assert "there is no run in this folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([run, "--limit", "0"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([run]) == 2
    assert "pip install -e .[eval]" in capsys.readouterr().err


def test_a_task_file_may_do_what_lm_eval_lets_it(folder: RunFolder, tmp_path: Path) -> None:
    """Include others, overrule their fields, and name programs and metrics of its own."""
    (tmp_path / "base.yaml").write_text(MOOD.replace("mood", "base"), encoding="utf-8")
    (tmp_path / "words.py").write_text("def judged(doc, found):\n    return {'length': len(doc['text'])}\n")
    (tmp_path / "rows.jsonl").write_text('{"text": "good"}\n{"text": "so"}\n', encoding="utf-8")
    (tmp_path / "mood.yaml").write_text(
        f"include: base.yaml\ntask: mood\ndataset_kwargs: {{data_files: {{test: {tmp_path / 'rows.jsonl'}}}}}\n"
        "process_results: !function words.judged\ngeneration_kwargs: {max_gen_toks: 1, until: []}\n"
        "metric_list: [{metric: length, aggregation: mean, higher_is_better: true}]\n",
        encoding="utf-8",
    )
    assert main([str(folder.path), "--tasks", str(tmp_path / "mood.yaml"), "--round", "0"]) == 0
    found = json.loads((folder.path / "evaluation" / "after_0" / "mood.json").read_text(encoding="utf-8"))
    assert [(score["metric"], score["value"]) for score in found["scores"]] == [("length", 3.0)]


def test_tasks_whose_answers_would_be_in_one_file_are_refused(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mood.yaml").write_text(MOOD, encoding="utf-8")
    both = [str(tmp_path / name / "mood.yaml") for name in ("one", "two")]
    for names in (both, ["gsm8k_local", str(tmp_path / "gsm8k_local.yaml")]):
        assert main([str(folder.path), "--tasks", *names]) == 2
        error = capsys.readouterr().err
        assert f"--tasks {' '.join(names)}\n    the answers to both would be in {Path(names[1]).stem}.jsonl" in error
    assert not (folder.path / "evaluation").exists()


@pytest.mark.full
def test_a_model_of_bytes_answers_lm_eval_as_it_answers_here(
    tiny_yaml: Callable[..., Path], tmp_path: Path, folder: RunFolder
) -> None:
    own = RunFolder(tmp_path / "runs" / "run")
    overrides = ("expname", "run", "--quiet", "train.optimizer.lr", "0.5")
    assert train(["--cfg", str(tiny_yaml()), *overrides]) == 0
    data = str(folder.path.parents[1] / "data")
    assert main([str(own.path), "--data", data, "--limit", "2", "--batch-size", "1"]) == 0
    cfg = config.load(own.config, READING)
    said = set()
    for rounds_done in (0, 4):
        rebuilt = rebuild(cfg, own, rounds_done)
        for example in range(2):
            row = answers(own, rounds_done)[example, "strict-match"]
            answer = rebuilt.answer(ROWS[example]["question"], Sampling(256), never, tuned=True)
            assert row["answers"][0][0].strip() == answer and answer
            said.add(answer)
    assert len(said) > 1


def test_mistakes_are_told_before_torch_is_imported() -> None:
    check = "import fedmezo.evaluate, sys; sys.exit('torch' in sys.modules or 'lm_eval' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
