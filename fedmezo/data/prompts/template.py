"""Prompts that are texts with places for the parts of an example."""

import re
from dataclasses import dataclass

from fedmezo.data.examples import Example

PLACEHOLDER = re.compile(r"\{(instruction|input)\}")


@dataclass(frozen=True)
class Template:
    """A template in two forms, for examples with and without an input; other braces stand for themselves."""

    with_input: str
    without_input: str
    bare: bool = False
    ending: str = ""

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the example's response."""
        form = self.with_input if example.input.strip() else self.without_input
        parts = {"instruction": example.instruction, "input": example.input}
        return PLACEHOLDER.sub(lambda match: parts[match[1]], form)
