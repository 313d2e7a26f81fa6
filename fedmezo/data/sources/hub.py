"""Datasets of the Hugging Face hub, through the ``datasets`` library (imported only when a hub is asked)."""

from dataclasses import dataclass

from fedmezo.data.sources.rows import Row
from fedmezo.errors import ResourceError
from fedmezo.hub import hub_reachable


@dataclass(frozen=True)
class HubDataset:
    """Where the hub keeps a dataset: its id, configuration, and the splits to read."""

    path: str
    config: str | None = None
    split: str = "train"
    test_split: str | None = None


def hub_rows(hub: HubDataset, split: str) -> list[Row]:
    """Return the rows of one split, from the library's cache or the hub.

    Raises:
        ResourceError: the library is missing, the hub is out of reach, or it has no such dataset.
    """
    try:
        import datasets
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise ResourceError("the datasets library is missing: pip install -e .[llm]") from error
    if not hub_reachable():
        datasets.config.HF_HUB_OFFLINE = True  # an earlier download may be in the library's cache
    try:
        rows = datasets.load_dataset(hub.path, hub.config, split=split)
    except (OSError, ValueError, DatasetsError) as error:
        raise ResourceError(f"the hub gave no {hub.path} ({error})") from error
    return [Row(f"{hub.path}, {split}: row {number}", dict(row)) for number, row in enumerate(rows, start=1)]
