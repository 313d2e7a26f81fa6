"""GSM8K: 7,473 + 1,319 grade-school maths problems (Cobbe et al. 2021, arXiv:2110.14168; MIT)."""

from dataclasses import replace

from fedmezo.data.download import WebFile
from fedmezo.data.examples import Example
from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields
from fedmezo.data.sources.files import FileSource
from fedmezo.data.sources.source import Request

FOLDER = (
    "https://raw.githubusercontent.com/openai/grade-school-math/"
    "3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data"
)


@register("gsm8k@llm")
class Gsm8k(FileSource):
    """Questions and worked answers; the ``<<48/2=24>>`` calculator marks stay in the answers."""

    files = (
        WebFile(
            "gsm8k_train.jsonl",
            f"{FOLDER}/train.jsonl",
            "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
        ),
        WebFile(
            "gsm8k_test.jsonl",
            f"{FOLDER}/test.jsonl",
            "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
        ),
    )
    also_named = (("train.jsonl", "test.jsonl"),)
    fields = Fields(instruction="question", output="answer")

    def adapt(self, examples: list[Example], request: Request) -> list[Example]:
        """Say ``The answer is`` where the data writes ``####``."""
        del request
        return [replace(example, output=example.output.replace("####", "The answer is")) for example in examples]
