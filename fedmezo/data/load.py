"""From the name of a dataset to its examples."""

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import listing, nearest
from fedmezo.data.examples import Dataset
from fedmezo.data.sources import hub, registry
from fedmezo.data.sources.files import AnyFile
from fedmezo.data.sources.rows import SUFFIXES
from fedmezo.data.sources.source import Request, Source
from fedmezo.data.sources.validation import checked_dataset


def load_dataset(request: Request) -> Dataset:
    """Load the dataset that ``request.name`` says: a registered name, a file, or a dataset of the hub.

    Raises:
        ConfigurationError: an unknown dataset, or keys that do not fit it.
        ResourceError: the data is missing, malformed, or out of reach.
    """
    source = _source(request.name)
    return checked_dataset(source, source.load(request))


def _source(data_type: str) -> Source:
    if data_type.lower().endswith(SUFFIXES):
        return AnyFile()
    if data_type.endswith(hub.SUFFIX):
        return hub.HubSource()
    try:
        source = registry[data_type]
    except KeyError:
        known = registry.names()
        raise ConfigurationError(
            f"data.type = {data_type}: no such dataset{nearest(data_type, known)}\n"
            f"    allowed are {listing(known)}, a file ending in {' or '.join(SUFFIXES)}, or OWNER/NAME{hub.SUFFIX}"
        ) from None
    return source()
