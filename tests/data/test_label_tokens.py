"""Label words as tokens."""

from collections.abc import Sequence

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.label_tokens import label_tokens, spaced
from fedmezo.data.tasks.task import Task
from tests.data.conftest import ByteTokenizer


class WordTokenizer(ByteTokenizer):
    """A token a word with its leading space, in the order of first use; 0 for what is not known."""

    def __init__(self, unknown: Sequence[str] = ()) -> None:
        super().__init__("words")
        self._unknown, self._numbers = unknown, {"": 0}

    def encode(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        return [[self._numbers.setdefault(word, len(self._numbers)) for word in self._words(text)] for text in texts]

    def _words(self, text: str) -> list[str]:
        pieces = [f" {piece}" for piece in text.split()]
        if pieces and not text.startswith(" "):
            pieces[0] = pieces[0][1:]
        return ["" if piece.strip() in self._unknown else piece for piece in pieces]


def task(*words: str, template: str = "{text} It was") -> Task:
    labels = {word: (str(number),) for number, word in enumerate(words)}
    return Task("t", "classification", template, {"text": "t", "label": "l"}, labels)


def test_a_class_is_the_first_token_of_its_word() -> None:
    tokenizer = WordTokenizer()
    found = label_tokens([" great", " so bad"], tokenizer, 0)
    assert found == tuple(tokens[0] for tokens in tokenizer.encode([" great", " so"], special=False))


def test_a_space_that_is_a_token_of_its_own_belongs_to_the_template() -> None:
    found = spaced(task("great", "terrible"), ByteTokenizer())
    assert found.template == "{text} It was " and found.label_words == ("great", "terrible")
    assert label_tokens(found.label_words, ByteTokenizer()) == (ord("g"), ord("t"))


def test_else_the_template_stays_as_it_is() -> None:
    for own in (task("great", "terrible"), task("Yes", "No", template="{text}\n"), task("great")):
        assert spaced(own, WordTokenizer()) is own


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([" so good", " so bad"], "'so good' and 'so bad' begin with the same token"),
        ([" good", " odd"], "the model's tokenizer does not know 'odd'"),
        ([" good", " "], "the model's tokenizer does not know ''"),
    ],
)
def test_words_that_cannot_be_told_apart_are_told(words: list[str], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        label_tokens(words, WordTokenizer(unknown=["odd"]), 0)
    assert str(caught.value).startswith(f"data.label_words\n    {expected}, and the choice is made at the first token")


def test_bytes_that_words_share_are_told() -> None:
    found = spaced(task("good", "great"), ByteTokenizer())
    with pytest.raises(ConfigurationError, match="'good' and 'great' begin with the same token"):
        label_tokens(found.label_words, ByteTokenizer())
