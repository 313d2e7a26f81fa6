"""Classification from the configuration to the summary, on rows of own writing."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmezo import config
from fedmezo.assembly import LearningTask, assemble_learning_task
from fedmezo.assembly.identity import configuration, of_work
from fedmezo.core.errors import FedmezoError
from fedmezo.data.partition import SPLITS
from fedmezo.generate import main as generate
from fedmezo.main import main
from fedmezo.report import main as report
from tests.data.sources.archives import write_distribution

EVALUATION = {"freq": 4, "split": ["test"], "best_res_update_round_wise_key": "test_accuracy"}
KINDS = {"0": "poor", "1": "fine"}


def write_rows(folder: Path, name: str, count: int, first: int = 0, label: str = "") -> None:
    labels = [label or str(number % 2) for number in range(first, first + count)]
    rows = [f"a {KINDS[one]} film of {first + number}\t{one}" for number, one in enumerate(labels)]
    (folder / name).write_text("\n".join(["sentence\tlabel", *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def sst2(tmp_path: Path, tiny_yaml: Callable[..., Path]) -> Callable[..., Path]:
    """Return what writes the tiny configuration on tiny files of SST-2."""
    write_rows(tmp_path, "sst2_train.tsv", 30)
    write_rows(tmp_path, "sst2_dev.tsv", 10, first=100)

    def make(**data: Any) -> Path:
        own = {"type": "sst2@llm", "root": str(tmp_path), "splits": [0.8, 0.0, 0.2], "num_examples": 3000, **data}
        return tiny_yaml(
            data=own,
            eval={
                "freq": 4,
                "split": ["test"],
                "best_res_update_round_wise_key": "test_accuracy",
                "metrics": ["f1", "accuracy"],
            },
            criterion={"type": "auto"},
        )

    return make


def assembled(path: Path, *overrides: str) -> LearningTask:
    return assemble_learning_task(config.load(path, overrides))


def test_a_run_says_accuracies_before_and_after_and_what_they_are_compared_with(
    sst2: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cfg", str(sst2())]) == 0
    told = capsys.readouterr()
    (folder,) = (Path(config.load(sst2()).outdir)).iterdir()
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    accuracy = summary["metrics"]["accuracy"]["test"]
    assert 0 <= accuracy["before"] <= 1 and 0 <= accuracy["after"] <= 1 and accuracy["examples"] == 10
    assert summary["metrics"]["f1"]["test"].keys() == accuracy.keys()
    found = summary["baselines"]["test"]
    assert found == {"majority": 0.5, "answer": "great", "zero_shot": accuracy["before"]}
    assert summary["groups"]["client_f1"]["test"].keys() == {"0", "1", "2"}
    text = told.out + told.err
    assert report([str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "test accuracy, zero-shot" in page and "test accuracy, the commonest class" in page
    assert re.search(
        r"test accuracy [\d.]+ % -&gt; [\d.]+ % \(95 % interval [\d.]+ to [\d.]+ %, \d+ examples\); the com", page
    )
    assert "test zero-shot" in text and "50.0 % right by always saying great" in text


def test_what_one_types_is_classified_by_base_and_tuned_model(
    sst2: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cfg", str(sst2()), "expname", "run", "--quiet"]) == 0
    capsys.readouterr()
    assert generate([str(Path(config.load(sst2()).outdir) / "run"), "--prompt", "a fine film of 7"]) == 0
    base, tuned = re.findall(r"^((?:great|terrible) \d+ %, (?:great|terrible) \d+ %)$", capsys.readouterr().out, re.M)
    assert base != tuned


def test_a_run_is_known_by_the_criterion_and_the_words_that_are_meant(sst2: Callable[..., Path]) -> None:
    cfg = config.load(sst2())
    found = of_work(configuration(cfg))
    assert found["criterion.type"] == "label_words" and found["data.label_words"] == ["terrible", "great"]
    other = of_work(configuration(config.load(sst2(), ["data.label_words", "[bad, good]"])))
    assert other["data.label_words"] == ["bad", "good"] and other != found
    plain = of_work(configuration(config.load(sst2(), ["data.type", "arithmetic@llm"])))
    assert plain["criterion.type"] == "cross_entropy" and "data.label_words" not in plain


def test_prompts_are_the_tasks_and_a_label_word_ends_an_example(sst2: Callable[..., Path]) -> None:
    task = assembled(sst2())
    tokens = task.data.encoded.tokens(0).tolist()
    start = int(task.data.encoded.prompt_lengths[0])
    assert bytes(tokens[1:start]) == b"a poor film of 0 It was " and bytes(tokens[start:]) == b"terrible"
    assert task.scorer.label_tokens == (ord("t"), ord("g"))
    assert task.data.words == ("terrible", "great") and Counter(task.data.labels)["great"] == 20


def test_template_and_words_are_keys(sst2: Callable[..., Path]) -> None:
    task = assembled(sst2(), "data.template", "Review: {text}\nMood:", "data.label_words", "[negative, positive]")
    tokens, start = task.data.encoded.tokens(1).tolist(), int(task.data.encoded.prompt_lengths[1])
    assert bytes(tokens[1:start]) == b"Review: a fine film of 1\nMood: " and bytes(tokens[start:]) == b"positive"


def test_a_task_may_also_be_learnt_as_generation(sst2: Callable[..., Path]) -> None:
    task = assembled(sst2(), "data.task", "generation", "eval.metrics", "accuracy")
    tokens = task.data.encoded.tokens(0).tolist()
    assert tokens[-1] == task.tokenizer.eos_id and bytes(tokens[-9:-1]) == b"terrible"
    assert task.scorer.label_tokens == () and task.data.words == ()


@pytest.mark.parametrize("criterion", ["label_words", "cross_entropy"])
def test_the_criterion_may_be_named(sst2: Callable[..., Path], criterion: str) -> None:
    task = assembled(sst2(), "criterion.type", criterion)
    batch = task.collate(task.data.partition.union("train")[:4])
    with torch.no_grad():
        count = len(task.scorer.values(batch))
    assert count == (4 if criterion == "label_words" else int((batch.labels != -100).sum()))


def test_it_divides_by_label_and_keeps_so_many_of_each(sst2: Callable[..., Path]) -> None:
    by_label = assembled(sst2(), "data.split_by", "label", "data.splitter", "meta", "federate.client_num", "2").data
    held = [{by_label.labels[row] for row in client.train} for client in by_label.partition.clients]
    assert sorted(map(len, held)) == [1, 1]
    assert "2 of 2 clients have no training example of some class" in "\n".join(by_label.warnings)
    few = assembled(sst2(), "data.shots", "3").data
    for client in few.partition.clients:
        assert Counter(few.labels[row] for row in client.train) == {"great": 3, "terrible": 3}
    assert [len(c.train) for c in assembled(sst2(), "data.client_examples", "5").data.partition.clients] == [5, 5, 5]


def test_balanced_clients_of_domains(tmp_path: Path, tiny_yaml: Callable[..., Path]) -> None:
    write_distribution(tmp_path)
    own = {"type": "sentiment@llm", "root": str(tmp_path), "splits": [0.8, 0.0, 0.2], "splitter": "meta"}
    path = tiny_yaml(data={**own, "balance": True}, eval=EVALUATION)
    data = assembled(path).data
    cells = Counter(zip(data.categories, data.labels, strict=True))
    test = Counter((data.categories[row], data.labels[row]) for row in data.partition.union("test"))
    for category in {category for category, _ in cells}:
        assert test[category, "great"] == test[category, "terrible"] > 0
    held = [{data.categories[row] for row in client.train} for client in data.partition.clients]
    assert sorted(map(len, held)) == [1, 1, 2]


def test_evaluated_examples_are_drawn_of_every_class(sst2: Callable[..., Path]) -> None:
    data = assembled(sst2()).data
    assert set(data.cells) == {" great", " terrible"}


def test_phrases_stay_with_their_sentence(tmp_path: Path, sst2: Callable[..., Path]) -> None:
    phrases = [
        f"{start}{number}{end}" for number in range(20) for start, end in (("the ", " one"), ("", " one"), ("", ""))
    ]
    rows = [f"{phrase}	1" for phrase in phrases]
    path = sst2(splits=[0.5, 0.5, 0.0])
    (tmp_path / "sst2_train.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "sst2_dev.tsv").unlink()
    override = ("eval.split", "val", "eval.best_res_update_round_wise_key", "val_loss", "federate.client_num", "1")
    partition = assembled(path, *override).data.partition
    number = {split: {row // 3 for row in partition.union(split)} for split in SPLITS[:2]}
    assert not number["train"] & number["val"] and len(number["train"]) == len(number["val"]) == 10


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("data.label_words", "[good, great]"), "data.label_words\n    'good' and 'great' begin with the same token"),
        (
            ("data.label_words", "[good]"),
            "expected 2, a word for each class of sst2@llm, in their order: terrible, great",
        ),
        (("data.template", "It was"), "data.template = 'It was'\n    expected the place {text} once, found 0 of them"),
        (("llm.tok_len", "10"), "llm.tok_len = 10\n    the question and its answer alone have"),
        (("llm.tok_len", "20"), "llm.tok_len = 20\n    every one of the 40 texts would be cut"),
        (("data.type", "arithmetic@llm", "data.task", "classification"), "arithmetic@llm is no task with a template"),
        (("data.type", "arithmetic@llm", "criterion.type", "label_words"), "arithmetic@llm is no classification"),
        (
            ("data.type", "arithmetic@llm", "eval.best_res_update_round_wise_key", "test_f1"),
            "eval.best_res_update_round_wise_key = test_f1\n    it is for classification; arithmetic@llm is none",
        ),
        (
            ("data.type", "arithmetic@llm", "eval.metrics", "loss", "data.shots", "1"),
            "data.shots\n    arithmetic",
        ),
        (
            ("data.task", "generation", "criterion.type", "label_words"),
            "sst2@llm is no classification (data.task = gen",
        ),
    ],
)
def test_what_does_not_fit_is_one_message(
    sst2: Callable[..., Path], tmp_path: Path, overrides: tuple[str, ...], expected: str
) -> None:
    path = sst2()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FedmezoError) as caught:
        assembled(path, *overrides)
    assert expected in str(caught.value) and sorted(tmp_path.rglob("*")) == before


def test_a_label_that_nobody_knows_is_told_with_its_place(tmp_path: Path, sst2: Callable[..., Path]) -> None:
    (tmp_path / "sst2_train.tsv").write_text("sentence\tlabel\na\t1\nb\t2\n", encoding="utf-8")
    with pytest.raises(FedmezoError, match=r"sst2_train\.tsv:3, column 2: label is '2', no label of sst2@llm"):
        assembled(sst2())


def test_a_class_that_is_missing_everywhere_cannot_be_balanced(tmp_path: Path, sst2: Callable[..., Path]) -> None:
    path = sst2(balance=True)
    write_rows(tmp_path, "sst2_dev.tsv", 10, first=100, label="1")
    assert "great" in assembled(path).data.words  # the training part has both
    data = assembled(path).data
    assert {data.labels[row] for row in data.partition.union("test")} == {"great"}


def test_other_data_go_on_without_the_metrics_of_classes(
    tiny_yaml: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_yaml(data={"balance": True}, eval={"metrics": ["loss", "accuracy", "auc", "f1"]})
    assert main(["--cfg", str(path), "expname", "run", "federate.total_round_num", "1"]) == 0
    said = capsys.readouterr().err
    assert "auc is left out: it is for classification; arithmetic@llm is none" in said
    assert "data.balance = True has no effect: arithmetic@llm has no classes" in said
    summary = json.loads((tmp_path / "runs" / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["metrics"].keys() == {"accuracy"}
    assert report([str(tmp_path / "runs" / "run")]) == 0
