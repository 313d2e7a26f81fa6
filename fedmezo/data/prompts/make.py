"""From the name of a prompt in the configuration to the prompt."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at, instantiated
from fedmezo.core.text import listing, nearest
from fedmezo.data.examples import Example
from fedmezo.data.prompts import ChatTokenizer, Prompt, registry
from fedmezo.data.prompts.file import SUFFIXES, read_template


def make_prompt(name: str, tokenizer: ChatTokenizer, day: date | None = None) -> Prompt:
    """Return the prompt of a registered name, or of a YAML file.

    Args:
        name: of the prompt, or path of the file.
        tokenizer: of the model.
        day: that the prompt may show; None lets it look at the clock.

    Raises:
        ConfigurationError: no such prompt, no chat template, a file that is wrong, or a prompt that does not keep the
            contract of :class:`Prompt`; the message names file and line.
    """
    if name.lower().endswith(SUFFIXES):
        return read_template(Path(name))
    names = registry.names()
    if name not in registry:
        raise ConfigurationError(
            f"data.prompt = {name}\n    expected {listing(names)}, or a path ending in .yaml{nearest(name, names)}"
        )
    prompt = instantiated(registry[name], tokenizer, day)
    return prompt if name in names else checked(prompt, name)


def checked(prompt: Prompt, name: str) -> Prompt:
    """Return a prompt of the user's own, whose answers are checked.

    Raises:
        ConfigurationError: it lacks what a prompt has.
    """
    bare, ending = getattr(prompt, "bare", None), getattr(prompt, "ending", None)
    if not (callable(prompt) and isinstance(bare, bool) and isinstance(ending, str)):
        raise ConfigurationError(
            f"{defined_at(registry[name])}\n    data.prompt = {name}: it gives {type(prompt).__name__} with "
            f"bare = {bare!r} and ending = {ending!r}, expected a callable with a truth value and a text"
        )
    return _Checked(prompt, bare, ending)


@dataclass(frozen=True)
class _Checked:
    prompt: Prompt
    bare: bool
    ending: str

    def __call__(self, example: Example) -> str:
        """Return the prompt's text.

        Raises:
            ConfigurationError: it returns something else.
        """
        text: object = self.prompt(example)
        if not isinstance(text, str):
            raise ConfigurationError(
                f"{defined_at(self.prompt)}\n    the prompt returned {type(text).__name__}, expected a text"
            )
        return text
