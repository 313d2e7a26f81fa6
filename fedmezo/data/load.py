"""From the name of a dataset to its examples."""

from collections.abc import Mapping
from pathlib import Path

from fedmezo.data.examples import Dataset
from fedmezo.data.nearest import listing, nearest_name
from fedmezo.data.sources import registry
from fedmezo.data.sources.files import SUFFIXES, AnyFile
from fedmezo.data.sources.source import Request, Source
from fedmezo.errors import ConfigurationError


def load_dataset(
    data_type: str,
    *,
    root: Path,
    file: str = "",
    fields: Mapping[str, str] | None = None,
    num_examples: int = 0,
    seed: int = 0,
) -> Dataset:
    """Load a dataset.

    Args:
        data_type: a registered name, or a file ending in .json or .jsonl.
        root: the folder of local files.
        file: a file under ``root`` to read instead of the dataset's own; empty for none.
        fields: field names by role (instruction, input, output, category); empty ones keep the default.
        num_examples: size of a generated dataset.
        seed: the run's seed, which generated data depends on.

    Raises:
        ConfigurationError: an unknown dataset, or keys that do not fit it.
        ResourceError: the data is missing, malformed, or out of reach.
    """
    named = {role: name for role, name in (fields or {}).items() if name}
    return _source(data_type).load(Request(data_type, root, file, named, num_examples, seed))


def _source(data_type: str) -> Source:
    if data_type.endswith(SUFFIXES):
        return AnyFile()
    try:
        source = registry[data_type]
    except KeyError:
        known = registry.names()
        raise ConfigurationError(
            f"data.type = {data_type}: no such dataset{nearest_name(data_type, known)}\n"
            f"    allowed are {listing(known)}, or a file ending in {' or '.join(SUFFIXES)}"
        ) from None
    return source()
