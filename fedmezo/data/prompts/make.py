"""From the name of a prompt in the configuration to the prompt."""

from datetime import date
from pathlib import Path

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import nearest
from fedmezo.data.prompts.chat import ChatPrompt, ChatTokenizer
from fedmezo.data.prompts.file import SUFFIXES, read_template
from fedmezo.data.prompts.prompt import Prompt
from fedmezo.data.prompts.template import ALPACA


def make_prompt(name: str, tokenizer: ChatTokenizer, day: date | None = None) -> Prompt:
    """Return the prompt of a name: ``alpaca``, ``chat`` (which may show ``day``), or the path of a YAML file.

    Raises:
        ConfigurationError: no such prompt, no chat template, or a file that is wrong.
    """
    if name.lower().endswith(SUFFIXES):
        return read_template(Path(name))
    if name == "chat":
        return ChatPrompt(tokenizer, day)
    if name == "alpaca":
        return ALPACA
    hint = nearest(name, ("alpaca", "chat"))
    raise ConfigurationError(f"data.prompt = {name}\n    expected alpaca, chat, or a path ending in .yaml{hint}")
