"""Tasks as the configuration wants them."""

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.tasks.task import Task

SENTIMENT = Task(
    "sentiment", "classification", "{text} It was", {"text": "t", "label": "l"}, {"bad": ("0",), "good": ("1",)}
)
ANSWERS = Task("answers", "generation", "{text} {question}\n", {"text": "t", "question": "q", "answer": "a"})


def test_a_response_follows_after_a_space_unless_there_is_white_space_already() -> None:
    assert SENTIMENT.response("good") == " good" and ANSWERS.response("good") == "good"


def test_what_stands_around_the_text_holds_the_other_fields_as_they_are() -> None:
    fields = dict.fromkeys(("text", "title", "question", "answer"), "")
    task = Task("t", "generation", "{title}: {text} {question}?", fields)
    values = {"title": "{text}", "question": "{title} \\1", "text": "not asked for"}
    assert task.rendered(values) == ("{text}: ", " {title} \\1?")


def test_the_keys_of_the_configuration_win() -> None:
    found = SENTIMENT.asked("auto", "Review: {text}\nSentiment:", ("negative", "positive"))
    assert found.template == "Review: {text}\nSentiment:" and found.labels == {"negative": ("0",), "positive": ("1",)}
    assert SENTIMENT.asked("generation").label_words == () and SENTIMENT.asked("generation").labels == SENTIMENT.labels
    assert SENTIMENT.asked() is SENTIMENT


@pytest.mark.parametrize(
    ("task", "kind", "template", "words", "expected"),
    [
        (ANSWERS, "classification", "", (), "data.task = classification\n    answers has no classes: use generation"),
        (SENTIMENT, "auto", "Review:", (), "data.template = 'Review:'\n    expected the place {text} once, found 0"),
        (SENTIMENT, "auto", "{text} {label}", (), "there is no field {label}: expected {text}"),
        (SENTIMENT, "auto", "", ("good",), "expected 2, a word for each class of sentiment, in their order: bad, good"),
        (SENTIMENT, "auto", "", ("a", "a"), "expected words that differ, none empty"),
        (SENTIMENT, "auto", "", ("a", " "), "expected words that differ, none empty"),
        (ANSWERS, "auto", "", ("a",), "expected 0"),
    ],
)
def test_keys_that_do_not_fit_are_told(
    task: Task, kind: str, template: str, words: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        task.asked(kind, template, words)
    assert expected in str(caught.value)
