"""CodeAlpaca: 20,022 programming instructions (Chaudhary 2023, github.com/sahil280114/codealpaca)."""

from fedmezo.data.download import WebFile
from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields
from fedmezo.data.sources.files import FileSource


@register("code_alpaca@llm")
class CodeAlpaca(FileSource):
    """Programming instructions; the category is the ``language``, where rows have one."""

    files = (
        WebFile(
            "code_alpaca_20k.json",
            "https://raw.githubusercontent.com/sahil280114/codealpaca/master/data/code_alpaca_20k.json",
        ),
    )
    fields = Fields(category="language")
