"""CodeAlpaca: 20,022 programming instructions (Chaudhary 2023, github.com/sahil280114/codealpaca)."""

from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields
from fedmezo.data.sources.files import FileSource
from fedmezo.data.sources.hub import HubDataset


@register("code_alpaca@llm")
class CodeAlpaca(FileSource):
    """Programming instructions; the category is the ``language``, where rows have one."""

    candidates = (("code_alpaca_20k.json", ""),)
    hub = HubDataset("sahil2801/CodeAlpaca-20k")
    fields = Fields(category="language")
