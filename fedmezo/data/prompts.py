"""Prompt templates: how an example is put to the model, up to where the response begins."""

from dataclasses import dataclass

from fedmezo.data.examples import Example


@dataclass(frozen=True)
class Prompt:
    """A template in two forms, for examples with and without an input."""

    with_input: str
    without_input: str

    def __call__(self, example: Example) -> str:
        """Return the text that precedes the example's response."""
        form = self.with_input if example.input.strip() else self.without_input
        return form.format(instruction=example.instruction, input=example.input)


# The wording is that of stanford_alpaca (Taori et al. 2023, Apache-2.0).
ALPACA = Prompt(
    with_input=(
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
    ),
    without_input=(
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{instruction}\n\n### Response:"
    ),
)

PROMPTS: dict[str, Prompt] = {"alpaca": ALPACA}
