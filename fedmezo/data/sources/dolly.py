"""Dolly: 15,011 instructions with responses written by people (Conover et al. 2023; CC BY-SA 3.0)."""

from fedmezo.data.download import WebFile
from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields
from fedmezo.data.sources.files import FileSource


@register("dolly-15k@llm")
class Dolly(FileSource):
    """Instructions of eight categories, some with a text that they are about."""

    files = (
        WebFile(
            "databricks-dolly-15k.jsonl",
            "https://huggingface.co/datasets/databricks/databricks-dolly-15k/resolve/"
            "bdd27f4d94b9c1f951818a7da7fd7aeea5dbff1a/databricks-dolly-15k.jsonl",
            "2df9083338b4abd6bceb5635764dab5d833b393b55759dffb0959b6fcbf794ec",
        ),
    )
    fields = Fields(input="context", output="response")
