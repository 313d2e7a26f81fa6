"""GSM8K: 7,473 + 1,319 grade-school maths problems (Cobbe et al. 2021, arXiv:2110.14168; MIT)."""

from dataclasses import replace

from fedmezo.data.examples import Example
from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields
from fedmezo.data.sources.files import FileSource
from fedmezo.data.sources.hub import HubDataset


@register("gsm8k@llm")
class Gsm8k(FileSource):
    """Questions and worked answers; the ``<<48/2=24>>`` calculator marks stay in the answers."""

    candidates = (("gsm8k_train.jsonl", "gsm8k_test.jsonl"), ("train.jsonl", "test.jsonl"))
    hub = HubDataset("openai/gsm8k", config="main", test_split="test")
    fields = Fields(instruction="question", output="answer")

    def adapt(self, example: Example) -> Example:
        """Say ``The answer is`` where the data writes ``####``."""
        return replace(example, output=example.output.replace("####", "The answer is"))
