"""What every metric of texts keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.text_metrics import Reference, registry

names = pytest.mark.parametrize("name", registry.names())
WORDS = st.sampled_from(["the", "a", "Ann", "eve's", "7", "7.0", "-", "1,200", "\n", ".", "twenty-two", "é"])
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)
REFERENCES = st.lists(TEXTS | st.lists(TEXTS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3)


@names
@given(prediction=TEXTS, references=REFERENCES)
def test_it_is_of_the_nearest_reference_whatever_their_order(
    name: str, prediction: str, references: list[Reference]
) -> None:
    metric = registry[name]
    value = metric(prediction, references)
    assert isinstance(value, float) and 0.0 <= value <= 1.0
    assert value == metric(prediction, references[::-1]) == max(metric(prediction, [each]) for each in references)


@names
def test_the_right_answer_has_1_and_another_0(name: str) -> None:
    assert registry[name]("Ann Lee", ["Eve", "ann lee"]) == 1.0
    assert registry[name]("Tom", ["Eve", "Ann Lee"]) == 0.0
    assert registry[name]("", ["Eve"]) == 0.0
