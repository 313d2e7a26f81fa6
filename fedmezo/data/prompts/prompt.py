"""What a prompt is."""

from typing import Protocol

from fedmezo.data.examples import Example


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
