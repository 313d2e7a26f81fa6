"""Prompts: how an example is put to the model, up to where the response begins, and what ends it. One file a prompt."""

from collections.abc import Callable
from datetime import date
from typing import Protocol

from fedmezo.core.registry import Registry
from fedmezo.data.examples import Example


class ChatTokenizer(Protocol):
    """What a prompt may ask of a tokenizer."""

    @property
    def has_chat(self) -> bool:
        """Whether there is a chat template."""
        ...

    def chat(self, user: str, assistant: str | None = None, day: date | None = None) -> str:
        """Return a turn of the user and one of the assistant; without ``assistant``, up to where its text begins.

        The template may show ``day``; None lets it look at the clock.
        """
        ...


class Prompt(Protocol):
    """A way to put examples to a model."""

    @property
    def bare(self) -> bool:
        """Whether the text holds all its special tokens, so that the tokenizer has no leading one to add."""
        ...

    @property
    def ending(self) -> str:
        """The text that ends a response; empty where the end-of-text token does."""
        ...

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the example's response."""
        ...


# a class or function, called with the model's tokenizer and the day that prompts may show
registry: Registry[Callable[[ChatTokenizer, date | None], Prompt]] = Registry("prompt", __name__)
register = registry.register
