"""``alpaca``: the template of the Alpaca project."""

from datetime import date

from fedmezo.data.prompts import ChatTokenizer, register
from fedmezo.data.prompts.template import Template

# The wording is that of stanford_alpaca (Taori et al. 2023, Apache-2.0).
ALPACA = Template(
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


@register("alpaca")
def alpaca(tokenizer: ChatTokenizer, day: date | None) -> Template:
    """Return the template."""
    return ALPACA
