"""DROP's exact match and F1 against the port of its script that lm_eval has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.tasks.drop.utils import _normalize, process_results

from fedmezo.text_metrics.drop import drop_exact_match, drop_f1, normalised

PIECES = [
    *["a", "the", "7", "7.0", "07", "1,200", "$3.50", "-2", "x-ray", "Yards", "yards.", "nan", "1e3", "%", "Ä"],
    "\n",
    "",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=6).map(" ".join)
ANSWERS = st.lists(st.lists(TEXTS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3)


@given(TEXTS)
def test_texts_are_normalised_as_by_the_script(text: str) -> None:
    assert normalised(text) == _normalize(text)


@given(prediction=TEXTS, answers=ANSWERS)
def test_values_are_those_of_the_script(prediction: str, answers: list[tuple[str, ...]]) -> None:
    wanted = process_results({"answers": answers}, prediction)
    assert drop_exact_match(prediction, answers) == wanted["em"]
    assert drop_f1(prediction, answers) == wanted["f1"]


@pytest.mark.parametrize(
    ("prediction", "references", "match", "overlap"),
    [
        ("7", ["7.0"], 1.0, 1.0),
        ("7 yards", ["7"], 0.0, 0.67),
        ("8 yards", ["7 yards"], 0.0, 0.0),  # another number is no part of the answer
        ("the Bears", ["Bears", "Lions"], 1.0, 1.0),
        ("Bears", [("Bears", "Lions")], 0.0, 0.5),
        ("Lions Bears", [("Bears", "Lions")], 0.0, 0.33),
        ("x ray", ["x-ray"], 1.0, 1.0),
        ("anything", [" "], 0.0, 0.0),  # a right answer that says nothing
    ],
)
def test_rules(prediction: str, references: list[str | tuple[str, ...]], match: float, overlap: float) -> None:
    assert (drop_exact_match(prediction, references), drop_f1(prediction, references)) == (match, overlap)
