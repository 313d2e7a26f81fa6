"""Phrases belong to their sentences."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from fedmezo.data.phrases import sentences_of


def within(words: list[str], others: list[str]) -> bool:
    return any(others[start : start + len(words)] == words for start in range(len(others) - len(words) + 1))


@given(texts=st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), max_size=12))
def test_a_phrase_has_the_number_of_a_sentence_that_holds_it(texts: list[list[str]]) -> None:
    numbers = sentences_of([" ".join(words) for words in texts]).tolist()
    for one, other in product(range(len(texts)), repeat=2):
        if numbers[one] == numbers[other] and len(texts[other]) == max(
            len(words) for words, number in zip(texts, numbers, strict=True) if number == numbers[one]
        ):
            assert within(texts[one], texts[other])
    roots = {
        number: max((t for t, n in zip(texts, numbers, strict=True) if n == number), key=len) for number in numbers
    }
    for (number, root), (other, longer) in product(roots.items(), repeat=2):
        assert number == other or not within(root, longer)
