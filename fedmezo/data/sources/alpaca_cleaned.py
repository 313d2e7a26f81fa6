"""Alpaca, cleaned: the same with mistakes removed (github.com/gururise/AlpacaDataCleaned; CC BY-NC 4.0)."""

from fedmezo.data.download import WebFile
from fedmezo.data.sources import register
from fedmezo.data.sources.files import FileSource


@register("alpaca_cleaned@llm")
class AlpacaCleaned(FileSource):
    """Instructions without categories."""

    files = (
        WebFile(
            "alpaca_data_cleaned.json",
            "https://raw.githubusercontent.com/gururise/AlpacaDataCleaned/"
            "a7d629079a95c2e4b7ec7dfe55087fbd18d9eba8/alpaca_data_cleaned.json",
        ),
    )
