"""Rosetta-Alpaca: about 8,000 programming tasks in many languages (github.com/sahil280114/codealpaca)."""

from fedmezo.data.download import WebFile
from fedmezo.data.examples import Example
from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields
from fedmezo.data.sources.files import FileSource
from fedmezo.data.sources.source import Request

TOO_RARE = "X86-64 Assembly"


@register("rosetta_alpaca@llm")
class RosettaAlpaca(FileSource):
    """Programming tasks; the input names the language, which is the category, too."""

    files = (
        WebFile(
            "rosetta_alpaca.json",
            "https://raw.githubusercontent.com/sahil280114/codealpaca/"
            "d269da106a579a623a654529b3cb91b5dfa9c72f/data/rosetta_alpaca.json",
        ),
    )
    fields = Fields(category="input")

    def adapt(self, examples: list[Example], request: Request) -> list[Example]:
        """Leave out the language that has too few examples for a client of its own, which meta might make it."""
        if request.splitter != "meta":
            return examples
        return [example for example in examples if example.category != TOO_RARE]
