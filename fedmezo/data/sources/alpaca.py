"""Alpaca: 52,002 instructions with machine-written responses (Taori et al. 2023; CC BY-NC 4.0)."""

from fedmezo.data.download import WebFile
from fedmezo.data.sources import register
from fedmezo.data.sources.files import FileSource


@register("alpaca@llm")
class Alpaca(FileSource):
    """Instructions without categories."""

    files = (
        WebFile(
            "alpaca_data.json",
            "https://raw.githubusercontent.com/tatsu-lab/stanford_alpaca/"
            "761dc5bfbdeeffa89b8bff5d038781a4055f796a/alpaca_data.json",
            "2eddafc6b977608d778aaab8dfc7e50e547b3af9826dfb9e909d9fc362e4a419",
        ),
    )
