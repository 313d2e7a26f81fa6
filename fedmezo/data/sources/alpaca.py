"""Alpaca: 52,002 instructions with machine-written responses (Taori et al. 2023; CC BY-NC 4.0)."""

from fedmezo.data.sources import register
from fedmezo.data.sources.files import FileSource
from fedmezo.data.sources.hub import HubDataset


@register("alpaca@llm")
class Alpaca(FileSource):
    """Instructions without categories."""

    candidates = (("alpaca_data.json", ""),)
    hub = HubDataset("tatsu-lab/alpaca")
