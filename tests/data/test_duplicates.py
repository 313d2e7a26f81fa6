"""No example stands in two parts of the data: in every format, and in all that is generated."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.data.duplicates import Duplicates, find_copies, without_copies
from fedmezo.data.encoding import encode
from fedmezo.data.examples import Example
from fedmezo.data.federated import FederatedData, build
from fedmezo.data.partition import SPLITS, ClientData, Partition
from fedmezo.data.prompts.alpaca import ALPACA
from fedmezo.data.sources import registry
from fedmezo.data.sources.source import Request
from fedmezo.main import main
from tests.data.conftest import ByteTokenizer
from tests.data.sources.test_contract import FORMATS, FROM_FILES, write

Main = Callable[..., int]


def divided(request: Request, duplicates: Duplicates = "remove", tok_len: int = 2000, **options: Any) -> FederatedData:
    return build(
        request,
        tokenizer=ByteTokenizer(),
        tok_len=tok_len,
        splits=(0.6, 0.2, 0.2),
        num_clients=3,
        duplicates=duplicates,
        **options,
    )


def parts(data: FederatedData) -> dict[str, list[bytes]]:
    """Return what the model sees of the examples of each part, white space apart."""
    return {
        name: [bytes(data.encoded.tokens(index)[1:].astype(np.uint8)).replace(b" \n", b"") for index in rows]
        for name, rows in ((name, data.partition.union(name)) for name in SPLITS)
    }


def shared(data: FederatedData) -> int:
    """Return how many examples stand in two parts."""
    found = {name: set(rows) for name, rows in parts(data).items()}
    return sum(len(found[first] & found[second]) for first, second in combinations(SPLITS, 2))


def rows_of(name: str) -> list[dict[str, Any]]:
    """Return 60 rows in the format of a dataset: 40 different ones, of which 20 stand there twice."""
    _, row, _ = FORMATS[name]
    asked = next(key for key in ("instruction", "question") if key in row)
    told = next(key for key in ("output", "response", "answer") if key in row)
    different = [row | {asked: f"{number}. {row[asked]}"} for number in range(40)]
    return [*different, *(each | {told: f"{each[told]} \n"} for each in different[:20])]


@pytest.mark.parametrize("name", FROM_FILES)
def test_no_example_of_a_file_is_in_two_parts(tmp_path: Path, name: str) -> None:
    file, *_ = FORMATS[name]
    write(tmp_path, file, rows_of(name))
    if name == "gsm8k@llm":
        write(tmp_path, "gsm8k_test.jsonl", rows_of(name)[:30])
    kept, removed = (divided(Request(name, tmp_path), choice) for choice in ("keep", "remove"))
    assert shared(kept) > 0 == shared(removed)
    assert parts(kept)["train"] == parts(removed)["train"]


def test_no_instance_of_a_task_is_in_two_parts(tmp_path: Path) -> None:
    instances = [{"input": f"Add {number % 40}.", "output": [str(number % 40)]} for number in range(60)]
    content = {"Definition": ["Say the sum."], "Instances": instances}
    (tmp_path / "task1.json").write_text(json.dumps(content), encoding="utf-8")
    kept, removed = (divided(Request("natural-instructions@llm", tmp_path), choice) for choice in ("keep", "remove"))
    assert shared(kept) > 0 == shared(removed)


@pytest.mark.parametrize("worked", [True, False])
@pytest.mark.parametrize("steps", range(5))
def test_no_generated_example_is_in_two_parts(steps: int, worked: bool) -> None:
    assert set(registry.names()) == {"arithmetic@llm", "natural-instructions@llm", *FROM_FILES}
    request = Request("arithmetic@llm", Path(), num_examples=1000, steps=steps, worked=worked)
    data = divided(request)
    assert shared(data) == 0
    assert len(data.partition.union("test")) > 100
    assert (len(data.copies["test"]) > 0) == (steps == 1)


def test_what_the_limit_leaves_of_two_examples_may_be_equal(tmp_path: Path) -> None:
    rows = [{"instruction": "Go on.", "output": "on and " * 20 + str(number)} for number in range(40)]
    write(tmp_path, "a.jsonl", rows)
    data = divided(Request("a.jsonl", tmp_path), tok_len=220)
    assert len(data.partition.union("train")) == 24
    assert [len(data.partition.union(name)) for name in ("val", "test")] == [0, 0]
    assert sum(len(copies) for copies in data.copies.values()) == 16


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.sampled_from("abcdefgh"), min_size=6, max_size=40), seed=st.integers(0, 99))
def test_train_wins_over_val_and_val_over_test(texts: list[str], seed: int) -> None:
    examples = [Example(text, "", text, None) for text in texts]
    encoded, _ = encode(examples, ByteTokenizer(), ALPACA, 1000, None)
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(texts))
    pieces = [np.sort(piece) for piece in np.array_split(order, 6)]
    whole = Partition((ClientData(*pieces[:3]), ClientData(*pieces[3:])))
    left = without_copies(whole, find_copies(whole, examples, encoded))
    train, val, test = (whole.union(name).tolist() for name in SPLITS)
    trained, validated = {texts[row] for row in train}, {texts[row] for row in val}
    assert left.union("train").tolist() == train
    assert left.union("val").tolist() == [row for row in val if texts[row] not in trained]
    assert left.union("test").tolist() == [row for row in test if texts[row] not in trained | validated]
    for before, after in zip(whole.clients, left.clients, strict=True):
        assert all(set(after.split(name).tolist()) <= set(before.split(name).tolist()) for name in SPLITS)


@pytest.fixture
def run(tiny_yaml: Callable[..., Path], tmp_path: Path) -> Main:
    """Return a function that runs the tiny configuration on ``rows.jsonl`` of the temporary folder."""

    def go(*words: str) -> int:
        data = ["data.root", str(tmp_path), "data.type", "rows.jsonl", "expname", "r"]
        return main(["--cfg", str(tiny_yaml(federate={"client_num": 3, "total_round_num": 1})), *data, *words])

    return go


def write_rows(folder: Path, different: int, copies: int) -> None:
    rows = [{"instruction": f"Add {n} and 1", "output": str(n + 1)} for n in range(different)]
    write(folder, "rows.jsonl", rows + rows[:copies])


def test_a_run_tells_how_many_are_left_out(run: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path, 60, 30)
    assert run() == 0
    told = json.loads((tmp_path / "runs" / "r" / "partition.json").read_text())
    found = told["duplicates"]
    assert min(found.values()) > 0
    expected = [
        f"warning: {found['val']} of 9 val examples equal one of training, and are left out (data.duplicates = remove)",
        f"warning: {found['test']} of 9 test examples equal one of training or validation, and are left out",
    ]
    screen, log = capsys.readouterr().err, (tmp_path / "runs" / "r" / "run.log").read_text()
    assert all(line in text for line in expected for text in (screen, log))
    assert f"warning: {told['warnings'][0]}" == expected[0]
    held = [client["val"]["examples"] for client in told["clients"]]
    assert sum(held) == 9 - found["val"]
    assert run("--check") == 0
    assert all(line in capsys.readouterr().out for line in expected[:1])


def test_what_is_kept_is_told_too(run: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path, 30, 30)
    assert run("--check", "data.duplicates", "keep") == 0
    assert "and are evaluated all the same (data.duplicates = keep)" in capsys.readouterr().out


def test_where_nothing_is_left_to_evaluate_the_run_does_not_start(
    run: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path, 1, 0)
    rows = tmp_path / "rows.jsonl"
    rows.write_text((rows.read_text() + "\n") * 40)
    assert run() == 3
    message = capsys.readouterr().err
    assert "eval.split = val" in message and "data.duplicates keep" in message and "Traceback" not in message
    assert not (tmp_path / "runs" / "r").exists()
    assert run("data.duplicates", "keep") == 0


def test_a_client_without_held_out_examples_is_told(
    run: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path, 24, 12)
    assert run("--check") == 0
    assert "warning: 2 of 3 clients have no other val example" in capsys.readouterr().out
