"""The model's own chat template as a prompt: one turn of the user, without a system prompt of ours."""

from datetime import date

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.examples import Example
from fedmezo.data.prompts import ChatTokenizer, register

REPLY = "The reply."


@register("chat")
class ChatPrompt:
    """A user's message of instruction and input, a blank line between them.

    A response is learnt with what ends the assistant's turn, such as ``<|im_end|>``.

    Args:
        tokenizer: with the template.
        day: that the template may show; None lets it look at the clock.

    Raises:
        ConfigurationError: the model has no chat template, or one that does not show what the assistant says.
    """

    bare = True  # a chat template writes the leading token itself

    def __init__(self, tokenizer: ChatTokenizer, day: date | None = None) -> None:
        if not tokenizer.has_chat:
            raise ConfigurationError(
                "data.prompt = chat\n    the model has no chat template; use data.prompt alpaca, or a model that is "
                "tuned for chat (its name often ends in Instruct)"
            )
        _, found, after = tokenizer.chat("The question.", REPLY, day).rpartition(REPLY)
        if not found:
            raise ConfigurationError(
                "data.prompt = chat\n    the model's chat template leaves out what the assistant says; "
                "use data.prompt alpaca"
            )
        self.ending = after.rstrip()  # a line break after the end of the turn is never generated
        self._tokenizer, self._day = tokenizer, day

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the example's response."""
        parts = (example.instruction, example.input)
        return self._tokenizer.chat("\n\n".join(part for part in parts if part.strip()), day=self._day)
