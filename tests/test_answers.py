"""Runs whose model's answers are evaluated, or are what is trained on: through the command line's entry point."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.core.run_folder import RunFolder
from fedmezo.evaluation.answers import shown
from fedmezo.evaluation.bootstrap import bootstrap
from fedmezo.ledger.ledger import Ledger
from fedmezo.main import main
from fedmezo.models.adapters import load_point, methods
from fedmezo.models.generation import Sampling, generate
from fedmezo.replay import main as replay
from fedmezo.report import main as report
from fedmezo.text_metrics import registry

Write = Callable[..., Path]
NAMES = ("Ann", "Ben", "Eve", "Ida", "Jon", "Tom")
SMALL = {"federate": {"client_num": 2, "total_round_num": 2}, "train": {"local_update_steps": 1}}
READABLE = """\
from fedmezo.text_metrics import register


@register("readable")
def readable(prediction, references):
    return sum(letter.isascii() and letter.isprintable() for letter in prediction) / max(1, len(prediction))
"""


def squad(name: str) -> dict[str, Any]:
    answers = {"text": [name, f"{name} Lee"]}
    return {"title": "Work", "context": f"{name} has a mill.", "question": f"Whose mill, {name}?", "answers": answers}


def record(name: str) -> dict[str, Any]:
    entities = [*NAMES[:3], f"{name} Lee"]
    passage = f"{name} Lee came."
    return {"passage": passage, "query": f"@placeholder left {name}.", "entities": entities, "answers": entities[3:]}


ROWS: dict[str, Callable[[str], dict[str, Any]]] = {"squad": squad, "record": record}
FILES = {"squad": ("squad_train.jsonl", "squad_dev.jsonl"), "record": ("record_train.jsonl", "record_val.jsonl")}


@pytest.fixture
def of_task(tmp_path: Path, tiny_yaml: Write) -> Callable[..., Path]:
    """Writes files of a task, and a configuration that trains on them."""

    def write(task: str, **sections: Any) -> Path:
        for file, names in zip(FILES[task], (NAMES, NAMES[::-1]), strict=True):
            rows = [ROWS[task](f"{name}{file[-7]}") for name in names]
            (tmp_path / file).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        data = {"root": str(tmp_path), "type": f"{task}@llm", "splits": [0.8, 0.0, 0.2]}
        evaluated = {"split": ["test"], "best_res_update_round_wise_key": "test_loss", "batch_size": 4}
        asked = {"generate": {"max_examples": 4, "max_new_tokens": 6}}
        return tiny_yaml(**SMALL | {"data": data, "eval": evaluated | asked, "zo": {"mu": 0.1}} | sections)

    return write


def run(path: Path, name: str, *words: str, code: int = 0) -> Path:
    assert main(["--cfg", str(path), "expname", name, *words]) == code
    return path.parent / "runs" / name


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "summary.json").read_text(encoding="utf-8")))


def test_without_being_asked_for_nothing_is_answered(tiny_yaml: Write) -> None:
    folder = run(tiny_yaml(**SMALL), "plain")
    assert not (folder / "answers.jsonl").exists() and "answers" not in summary(folder)
    header = Ledger(RunFolder(folder).ledger).header
    assert header is not None
    assert not [key for key in header.configuration if key.startswith(("eval.generate", "criterion.max"))]


def test_answers_before_and_after_are_those_of_the_models(
    of_task: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is what the model writes to the prompt alone, scored against all right answers."""
    path = of_task("squad")
    folder = run(path, "run", "eval.generate.metrics", "[f1, rouge_l, exact_match]")
    before, after = lines(folder)
    assert (before["rounds_done"], after["rounds_done"]) == (0, 2) and before["indices"] == after["indices"]
    assert len(before["indices"]) == 4 and before["references"][0] == [
        before["references"][0][0],
        f"{before['references'][0][0]} Lee",
    ]
    task = assemble_learning_task(config.load(path))
    own = load_point(task.parameters, folder / "adapter", task.model, methods.registry["lora"].alike)
    for row, point in ((before, task.start), (after, own)):
        for index, answer in zip(row["indices"], row["answers"], strict=True):
            prompt = task.data.encoded.tokens(index)[: task.data.encoded.prompt_lengths[index]].tolist()
            with task.scorer.at(point) as model:
                tokens = generate(model, prompt, [[task.tokenizer.eos_id]], Sampling(6))
            assert answer == task.tokenizer.decode(tokens).partition("\n")[0].strip()
        for name, scores in row["scores"].items():
            pairs = zip(row["answers"], row["references"], strict=True)
            assert scores == [registry[name](answer, references) for answer, references in pairs]
    found = summary(folder)["answers"]["test"]
    assert [*found] == ["f1", "rouge_l", "exact_match"]
    mean, low, high = bootstrap(np.array(after["scores"]["rouge_l"]))
    assert (found["rouge_l"]["after"], found["rouge_l"]["intervals"]["after"]) == (mean, [low, high])
    said = capsys.readouterr()
    assert "answers before training: test f1" in said.err + said.out
    assert "test answers, rouge l" in said.err + said.out and "4 examples)" in said.err + said.out


def test_the_tasks_own_metrics_and_rouge_l_where_there_is_none(of_task: Callable[..., Path], tiny_yaml: Write) -> None:
    assert [*lines(run(of_task("squad"), "squad"))[0]["scores"]] == ["exact_match", "f1"]
    plain = tiny_yaml(**SMALL, eval={"generate": {"max_examples": 2, "max_new_tokens": 3}})
    rows = lines(run(plain, "plain"))
    assert [*rows[0]["scores"]] == ["rouge_l"] and {row["split"] for row in rows} == {"val", "test"}


def test_a_run_that_goes_on_keeps_its_answers_or_gives_them_anew(of_task: Callable[..., Path]) -> None:
    folder = run(of_task("squad"), "run")
    done = lines(folder)
    assert main(["--resume", str(folder)]) == 0 and lines(folder) == done
    assert main(["--resume", str(folder), "federate.total_round_num", "3"]) == 0
    assert lines(folder)[:2] == done and [row["rounds_done"] for row in lines(folder)] == [0, 2, 3]
    assert main(["--resume", str(folder), "eval.generate.max_examples", "2"]) == 0
    *_, before, after = lines(folder)
    assert (before["rounds_done"], after["rounds_done"]) == (0, 3) and len(before["indices"]) == 2
    held = [done[0]["indices"].index(index) for index in before["indices"]]
    assert before["answers"] == [done[0]["answers"][place] for place in held]
    assert summary(folder)["answers"]["test"]["f1"]["examples"] == 2


@pytest.mark.parametrize("adapter", [True, False])
def test_before_training_is_the_base_model_also_where_there_is_one_point_only(
    of_task: Callable[..., Path], adapter: bool
) -> None:
    """All parameters are trained in the model itself, and a resumed run moves them before it trains."""
    path = of_task("squad", llm={"tok_len": 420, "adapter": {"use": adapter, "args": [{"adapter_method": "lora"}]}})
    plain = run(path, "plain", "train.optimizer.lr", "1e-3", "eval.generate.max_examples", "0")
    assert main(["--resume", str(plain), "eval.generate.max_examples", "4"]) == 0
    base = run(path, "base")
    assert lines(plain)[0] == lines(base)[0] and lines(plain)[1]["rounds_done"] == 2


def candidates_by_hand(task: LearningTask, point: torch.Tensor, index: int) -> dict[str, float]:
    """Return the mean log-likelihood of each candidate of an example, each scored alone."""
    prompt = task.data.encoded.tokens(index)[: task.data.encoded.prompt_lengths[index]].tolist()
    means = {}
    for text in task.data.candidates[index]:
        (tokens,) = task.tokenizer.encode([text], special=False)
        with torch.inference_mode(), task.scorer.at(point) as model:
            logits = model(input_ids=torch.tensor([prompt + tokens])).logits[0].double()
        said = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        means[text.strip()] = said[range(len(tokens)), tokens].mean().item()
    return means


@pytest.mark.parametrize("kept", [False, True])
def test_a_candidate_is_chosen_by_its_mean_log_likelihood(of_task: Callable[..., Path], kept: bool) -> None:
    """Also where what frozen layers make of the run's own examples is kept."""
    lora = [{"adapter_method": "lora", "r": 4, "layers_to_transform": [1]}]
    path = of_task("record", llm={"tok_len": 420, "adapter": {"args": lora}})
    folder = run(path, "run", "train.cache_frozen_layers", str(kept))
    task = assemble_learning_task(config.load(path))
    own = load_point(task.parameters, folder / "adapter", task.model, methods.registry["lora"].alike)
    for row, point in zip(lines(folder), (task.start, own), strict=True):
        for index, answer in zip(row["indices"], row["answers"], strict=True):
            means = candidates_by_hand(task, point, index)
            assert answer == max(means, key=means.__getitem__) and len(means) == 4
    assert summary(folder)["answers"]["test"].keys() == {"exact_match", "f1"}


@pytest.mark.usefixtures("nothing_of_users_stays")
def test_training_on_a_metric_of_texts_replays_and_raises_it(tiny_yaml: Write, tmp_path: Path) -> None:
    """One of the user's own, as a model of random weights writes no right word."""
    (tmp_path / "readable.py").write_text(READABLE, encoding="utf-8")
    path = tiny_yaml(
        extensions=["readable.py"],
        criterion={"type": "readable", "max_new_tokens": 8},
        zo={"mu": 0.3, "queries": 4},
        dataloader={"batch_size": 8},
        train={"local_update_steps": 2, "optimizer": {"lr": 3.0}},
        federate={"client_num": 2, "total_round_num": 6},
        eval={"freq": 6, "generate": {"max_examples": 12, "metrics": ["readable"], "max_new_tokens": 8}},
    )
    folder = run(path, "run")
    ledger = Ledger(RunFolder(folder).ledger)
    losses = [np.mean([client.train_loss for client in row.clients]) for row in ledger.rounds()]
    assert losses[-1] < 0.7 * losses[0]
    found = [own["readable"] for own in summary(folder)["answers"].values()]
    assert sum(own["after"] for own in found) > sum(own["before"] for own in found)
    assert replay([str(folder), "--verify"]) == 0


def test_the_report_has_them_with_their_intervals(of_task: Callable[..., Path]) -> None:
    folder = run(of_task("squad"), "run")
    found = summary(folder)["answers"]["test"]["f1"]
    assert report([str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    told = shown(found["change"], found["intervals"]["change"])
    assert f'test answers, f1 change, 95 % interval</th><td data-value="{found["change"]}">{told}</td>' in page
    content = summary(folder)
    content["answers"]["test"]["f1"]["intervals"]["after"] = ["low", "high"]
    (folder / "summary.json").write_text(json.dumps(content), encoding="utf-8")
    assert report([str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "what it says of answers is left out" in page and "test answers" not in page


def test_answers_of_a_classification_are_not_written(
    tmp_path: Path, tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "sentence\tlabel\n" + "".join(f"film {number}\t{number % 2}\n" for number in range(12))
    (tmp_path / "sst2_train.tsv").write_text(rows, encoding="utf-8")
    path = tiny_yaml(data={"root": str(tmp_path), "type": "sst2@llm"}, criterion={"type": "auto"})
    for words, expected in (
        (("eval.generate.max_examples", "5"), "eval.generate.max_examples = 5\n    sst2@llm is a classification"),
        (("eval.generate.metrics", "[f1]"), "eval.generate.metrics = ('f1',)\n    sst2@llm is a classification"),
        (("criterion.type", "f1"), "criterion.type = f1\n    it is of answers that are written, and sst2@llm is a"),
    ):
        run(path, "none", *words, code=2)
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("criterion.type", "rouge_l"), ("eval.generate.metrics", "[rouge_l]", "eval.generate.max_examples", "2")]
)
def test_without_rouge_score_it_says_how_to_install_it(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rouge_score" else find(name))
    run(tiny_yaml(), "none", *words, code=2)
    told = capsys.readouterr().err
    assert f"{words[0]} = rouge_l\n    rouge_score is not installed: pip install -e .[metrics]" in told


def test_all_parameters_in_half_precision_write_no_answers(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml(criterion={"type": "f1"}, llm={"tok_len": 420, "adapter": {"use": False}})
    run(path, "none", "train.is_enable_half", "True", code=2)
    assert "criterion.type = f1\n    answers are written with a copy of all parameters" in capsys.readouterr().err


@pytest.mark.usefixtures("nothing_of_users_stays")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return None", "readable.py:4\n    metric of texts readable returned None\n    expected a number from 0 to 1"),
        ("return prediction.words", "readable.py:6\n    metric of texts readable: AttributeError: "),
    ],
)
def test_a_mistake_in_a_metric_of_the_users_own_is_told_with_its_line(
    tmp_path: Path, tiny_yaml: Write, capsys: pytest.CaptureFixture[str], body: str, expected: str
) -> None:
    head, _ = READABLE.split("    return")
    (tmp_path / "readable.py").write_text(f"{head}    {body}\n", encoding="utf-8")
    run(tiny_yaml(extensions=["readable.py"], criterion={"type": "readable"}), "none", code=2)
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("eval.generate.metrics", "[rouge]"), "expected one of drop_exact_match, drop_f1, exact_match, f1, rouge_l; "),
        (("criterion.type", "rouge"), "the nearest is rouge_l"),
        (("criterion.type", "f1", "trainer.type", "llmtrainer"), "criterion.type = f1 has no gradient"),
        (("eval.generate.max_new_tokens", "0"), "eval.generate.max_new_tokens"),
    ],
)
def test_mistakes_are_told_with_their_key(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    run(tiny_yaml(), "none", *words, code=2)
    assert expected in capsys.readouterr().err and not (tiny_yaml().parent / "runs" / "none").exists()
