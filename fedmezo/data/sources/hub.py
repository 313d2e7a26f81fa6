"""``OWNER/NAME[:CONFIG[:SPLIT]]@hub``: any dataset of the Hugging Face hub, through the ``datasets`` library."""

from pathlib import Path

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.huggingface import HubError, asked, check_dataset, why_unreachable
from fedmezo.data.examples import Dataset
from fedmezo.data.sources.fields import Fields, to_examples
from fedmezo.data.sources.rows import Row
from fedmezo.data.sources.source import Request

SUFFIX = "@hub"


class HubSource:
    """The rows of one split (``train`` unless another is named), divided by ``data.splits`` as any other data."""

    def load(self, request: Request) -> Dataset:
        """Load the split (see :class:`Source`)."""
        if request.file:
            raise ConfigurationError(
                f"data.file = {request.file}: data.type names a dataset of the hub, {request.name}"
            )
        path, config, split = _parts(request.name)
        names = Fields().override(request.fields)
        examples = to_examples(hub_rows(path, config, split), names, request.fields)
        return Dataset(request.name, tuple(examples), 0, f"{path}, split {split}, of the hub")


def _parts(name: str) -> tuple[str, str | None, str]:
    path, _, rest = name.removesuffix(SUFFIX).partition(":")
    config, _, split = rest.partition(":")
    return path, config or None, split or "train"


def hub_rows(path: str, config: str | None, split: str, revision: str | None = None) -> list[Row]:
    """Return the rows of a split, from the library's cache or the hub; those of the newest revision unless it is named.

    Raises:
        ResourceError: they cannot be had, or there are none.
    """
    try:
        import datasets
    except ImportError as error:
        raise ResourceError("the datasets library is missing: pip install -e .[llm]") from error
    reason = why_unreachable()
    if reason:
        datasets.config.HF_HUB_OFFLINE = True  # an earlier download may be in the library's cache
    try:
        if not reason and not Path(path).exists():
            check_dataset(path)
        rows = asked(lambda: datasets.load_dataset(path, config, split=split, revision=revision), None)
    except HubError as error:
        raise ResourceError(
            f"data.type = {path}: the hub gave nothing ({error}{reason and f'; {reason}'})\n"
            "    without a network: name a file of the rows with data.type\n"
            "    or train on generated data: the same command with\n"
            "        data.type arithmetic@llm"
        ) from error
    if len(rows) == 0:
        raise ResourceError(f"data.type = {path}: the split {split} holds no rows")
    return [Row(f"{path}, {split}: row {number}", dict(row)) for number, row in enumerate(rows, start=1)]
