"""``plain``: an example's own words, a line each, and nothing around them."""

from datetime import date

from fedmezo.data.prompts import ChatTokenizer, register
from fedmezo.data.prompts.template import Template

PLAIN = Template(with_input="{instruction}\n{input}\n", without_input="{instruction}\n")


@register("plain")
def plain(tokenizer: ChatTokenizer, day: date | None) -> Template:
    """Return the template."""
    return PLAIN
