"""SQuAD's exact match and F1 against a port of its script that lm_eval has, and on examples from its publications."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.tasks.super_glue.record.t5_utils import normalize_squad, squad_em_agg, squad_f1_agg

from fedmezo.text_metrics.squad import exact_match, f1, normalised

PIECES = [
    *["a", "an", "the", "The", "Denver", "Broncos", "10", "1,000", "U.S.", "o'clock", "-", "!", "Ä", "theory"],
    "\t",
    "\n",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=7).map(" ".join)


def script(aggregate: object, prediction: str, references: Sequence[str]) -> float:
    """Return what the port makes of one question; it knows a question by what stands before ``_``."""
    assert callable(aggregate)
    return float(aggregate([(prediction, f"0_{reference}") for reference in references]))


@given(TEXTS)
def test_texts_are_normalised_as_by_the_script(text: str) -> None:
    assert normalised(text) == normalize_squad(text)


@given(prediction=TEXTS, references=st.lists(TEXTS.map(lambda text: text.replace("_", "")), min_size=1, max_size=3))
def test_values_are_those_of_the_script(prediction: str, references: list[str]) -> None:
    assert exact_match(prediction, references) == script(squad_em_agg, prediction, references)
    assert f1(prediction, references) == script(squad_f1_agg, prediction, references)


@pytest.mark.parametrize(
    ("prediction", "references", "match", "overlap"),
    [
        ("1976", ["1976"], 1.0, 1.0),  # of the documentation of `evaluate`'s squad
        ("Denver Broncos", ["Denver Broncos", "Denver Broncos", "The Denver Broncos!"], 1.0, 1.0),
        ("in the 10th and 11th centuries", ["10th and 11th centuries", "10th"], 0.0, 8 / 9),
        ("Santa Clara", ["Santa Clara, California", "Levi's Stadium"], 0.0, 0.8),
        ("the", ["a"], 1.0, 0.0),  # both are nothing: no word in common
        ("a cat a cat", ["cat"], 0.0, 2 / 3),
    ],
)
def test_known_examples(prediction: str, references: list[str], match: float, overlap: float) -> None:
    assert exact_match(prediction, references) == match == script(squad_em_agg, prediction, references)
    assert f1(prediction, references) == pytest.approx(overlap)
    assert f1(prediction, references) == script(squad_f1_agg, prediction, references)


def test_spans_of_one_answer_are_one_text() -> None:
    assert exact_match("Ann Eve", [("Ann", "Eve")]) == 1.0 and f1("Eve", [("Ann", "Eve")]) == pytest.approx(2 / 3)
