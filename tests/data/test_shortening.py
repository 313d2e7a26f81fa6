"""Texts that are cut so that question and answer have room."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmezo.core.errors import ResourceError
from fedmezo.data.examples import Example
from fedmezo.data.prompts.task import TaskPrompt
from fedmezo.data.shortening import shortened
from tests.data.conftest import ByteTokenizer

PROMPT = TaskPrompt()


def example(text: str) -> Example:
    return Example("Review: ", text, " great", None, " It was", "great")


def length(made: Example) -> int:
    return 1 + len((PROMPT(made) + made.output).encode())


@given(texts=st.lists(st.text("ab é\u2003", max_size=40), min_size=1, max_size=4), room=st.integers(0, 30))
def test_only_texts_are_cut_and_only_as_far_as_they_have_to_be(texts: list[str], room: int) -> None:
    examples, tok_len = [example("x"), *map(example, texts)], length(example("x")) + room
    found = shortened(examples, ByteTokenizer(), PROMPT, tok_len, closing=0)
    for before, after in zip(examples, found.examples, strict=True):
        assert replace(after, input=before.input) == before and before.input.startswith(after.input)
        assert length(after) <= tok_len
        if length(before) <= tok_len:
            assert after == before
        else:
            whole_words = len(before.input) > len(after.input) and before.input[len(after.input)].isspace()
            assert whole_words or length(replace(before, input=before.input[: len(after.input) + 1])) > tok_len
    assert found.cut == sum(length(each) > tok_len for each in examples)


def test_a_text_ends_with_a_word() -> None:
    found = shortened(
        [example("x"), example("one two three")], ByteTokenizer(), PROMPT, length(example("one two th")), 0
    )
    assert found.examples[1].input == "one two" and (found.cut, found.longest) == (1, length(example("one two three")))


def test_what_ends_a_response_needs_room_too() -> None:
    tok_len = length(example("one two"))
    for closing, kept in ((0, "one two"), (1, "one")):
        found = shortened([example("x"), example("one two")], ByteTokenizer(), PROMPT, tok_len, closing)
        assert found.examples[1].input == kept


def test_a_question_that_has_no_room_is_told() -> None:
    needed = length(example(""))
    with pytest.raises(ResourceError) as caught:
        shortened([example(""), example("one")], ByteTokenizer(), PROMPT, needed - 1, closing=0)
    assert str(caught.value) == (
        f"llm.tok_len = {needed - 1}\n    the question and its answer alone have {needed} tokens, without any text: "
        f"set llm.tok_len to more than {needed}"
    )


def test_texts_that_would_all_be_cut_are_told() -> None:
    with pytest.raises(ResourceError) as caught:
        shortened([example("a" * 30), example("b" * 50)], ByteTokenizer(), PROMPT, length(example("a" * 9)), closing=0)
    shortest, longest = length(example("a" * 30)), length(example("a" * 50))
    assert (
        f"every one of the 2 texts would be cut: the shortest example has {shortest} tokens, the longest {longest}"
        in (str(caught.value))
    )


def test_every_candidate_has_room() -> None:
    chosen = replace(example("one two three"), candidates=(" bad", " by far the longest"))
    room = length(replace(chosen, input="one two", output=chosen.candidates[1]))
    found = shortened([example("x"), chosen], ByteTokenizer(), PROMPT, room, closing=0)
    assert found.examples[1].input == "one two"
