"""Chat templates, rendered the same on any day: data must not depend on when a run began, or goes on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any

from transformers.utils import chat_template_utils

from fedmezo.core.randomness import same_python_draws

SHOWN = date(2024, 7, 26)  # by ``date_string``, which a template may be given, where no day is chosen


def render(tokenizer: Any, turns: Sequence[Mapping[str, str]], day: date | None) -> str:
    """Return turns in a tokenizer's chat template.

    Args:
        tokenizer: of transformers.
        turns: with ``role`` and ``content``; where the user has the last, the text ends where the reply begins.
        day: that the template may show, at midnight; None lets it look at the clock.
    """
    with same_python_draws(), _clock_at(tokenizer.get_chat_template(), day):
        text: str = tokenizer.apply_chat_template(
            turns,
            tokenize=False,
            add_generation_prompt=turns[-1]["role"] == "user",
            date_string=(day or SHOWN).strftime("%d %b %Y"),
        )
    return text


@contextmanager
def _clock_at(template: str, day: date | None) -> Iterator[None]:
    """Let ``strftime_now`` of a template tell a day; a function of ours as its argument is not handed through to it."""
    if day is None:
        yield
        return
    names = chat_template_utils._compile_jinja_template(template).globals  # the one that is rendered: it is kept
    before = names["strftime_now"]
    names["strftime_now"] = datetime.combine(day, time()).strftime
    try:
        yield
    finally:
        names["strftime_now"] = before
