"""Which examples are evaluated where not all are: of every client and category, as the seed says."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.evaluation.sample import first, spread
from fedmezo.main import main
from tests.example_counts import examples

CATEGORIES = ("easy", "hard", "code")
COUNT = 4


def drawn(owners: list[int], categories: list[str | None], count: int, seed: int = 0) -> list[list[int]]:
    rows = np.arange(len(owners))
    parts = [rows[np.array(owners) == client] for client in range(max(owners) + 1)]
    return [part.tolist() for part in spread(parts, categories, count, np.random.default_rng(seed))]


@settings(max_examples=examples(200), deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=40),
    count=st.integers(1, 45),
    seed=st.integers(0, 9),
)
def test_every_client_and_category_is_there_as_far_as_the_number_allows(
    rows: list[tuple[int, str | None]], count: int, seed: int
) -> None:
    owners, categories = [client for client, _ in rows], [category for _, category in rows]
    found = drawn(owners, categories, count, seed)
    taken = [row for part in found for row in part]
    assert len(set(taken)) == len(taken) == min(count, len(rows))
    assert all(owners[row] == client for client, part in enumerate(found) for row in part)
    assert len({owners[row] for row in taken}) == min(count, len(set(owners)))
    if count >= len(set(owners)) + len(set(categories)):
        assert {categories[row] for row in taken} == set(categories)


def test_the_rest_is_in_proportion() -> None:
    found = drawn([0] * 80 + [1] * 15 + [2] * 5, [None] * 100, 23)
    assert [len(part) for part in found] == [17, 4, 2]  # one each, and of 20: 16, 3, 1 of what is left


def test_other_seeds_draw_others() -> None:
    assert len({str(drawn([0] * 50, ["a", "b"] * 25, 10, seed)) for seed in range(5)}) == 5


def test_the_first_are_those_of_the_data_whoever_has_them() -> None:
    found = first([np.array([2, 5]), np.array([0, 8])], 3)
    assert [part.tolist() for part in found] == [[2, 5], [0]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that runs on data sorted by category, each a client's, and gives its metrics."""
    folder = tmp_path_factory.mktemp("sorted")
    rows = [
        {"instruction": f"{name} question {i}", "output": f"{name} answer {i}", "category": name}
        for name in CATEGORIES
        for i in range(40)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "run.yaml").write_text(
        f"""
outdir: {folder}
model: {{type: tiny-llama@random_llm}}
data: {{root: {folder}, type: rows.jsonl, splitter: meta}}
federate: {{client_num: 3, total_round_num: 1}}
train: {{local_update_steps: 1}}
eval: {{max_examples: {COUNT}, split: [test], best_res_update_round_wise_key: test_loss}}
engine: {{threads: 1}}
""",
        encoding="utf-8",
    )

    def train(name: str, *overrides: str) -> list[dict[str, Any]]:
        assert main(["--cfg", str(folder / "run.yaml"), "-q", "expname", name, *overrides]) == 0
        return lines(folder / name / "metrics.jsonl")

    return train


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_on_sorted_data_is_evaluated_on_all_of_it(trained: Callable[..., list[dict[str, Any]]]) -> None:
    rows = trained("spread")
    for row in rows:
        assert set(row["test_clients"]) == {"0", "1", "2"}
        assert set(row["test_categories"]) == set(CATEGORIES)
    again = trained("again")
    assert [row["test_loss"] for row in again] == [row["test_loss"] for row in rows]
    before = trained("before", "eval.choice", "first")
    assert Counter(len(row["test_categories"]) for row in before) == {1: len(before)}
