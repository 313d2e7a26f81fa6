"""ROUGE-L is that of ``rouge_score``, by its definition and with the library's own defaults."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from fedmezo.text_metrics.rouge import rouge_l

LINES = "The cats sat.\nThen they were running home."
TEXTS = st.lists(
    st.sampled_from(["cat", "cats", "Cat's", "running", "ran", "\n", "3", ".", "é", "the"]), max_size=8
).map(" ".join)


@given(prediction=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=3))
def test_it_is_the_librarys_best_of_several_references(prediction: str, references: list[str]) -> None:
    own = RougeScorer(["rougeL"])
    assert rouge_l(prediction, references) == max(own.score(each, prediction)["rougeL"].fmeasure for each in references)


@pytest.mark.parametrize(
    ("prediction", "references", "wanted"),
    [
        (LINES, [LINES.replace("\n", " ")], 1.0),  # line breaks are spaces
        ("the cat sat", ["the sat cat"], 2 / 3),
        ("run home", ["running home"], 0.5),  # no stemmer
        ("Then they ran", ["nothing", LINES], 2 * (2 / 3) * (2 / 8) / (2 / 3 + 2 / 8)),
        ("", ["words"], 0.0),
    ],
)
def test_lines_and_references(prediction: str, references: list[str], wanted: float) -> None:
    assert rouge_l(prediction, references) == pytest.approx(wanted)


def test_spans_of_one_answer_are_one_text() -> None:
    assert rouge_l("Ann and Eve", [("Ann", "and Eve")]) == 1.0


def test_the_library_adds_nothing_to_what_is_logged() -> None:
    use = "from fedmezo.text_metrics.rouge import rouge_l; rouge_l('a', ['a'])"
    subprocess.run([sys.executable, "-c", f"import logging; {use}; assert not logging.root.handlers"], check=True)
