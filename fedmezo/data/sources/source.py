"""What a dataset is asked for, and what answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fedmezo.core.cache import cache_folder
from fedmezo.data.examples import Dataset


@dataclass(frozen=True)
class Request:
    """What the configuration says about the data to load.

    Attributes:
        name: ``data.type`` as the user wrote it.
        root: ``data.root``, the folder of local files.
        file: ``data.file``, a file under ``root`` to read instead of the dataset's own; empty for none.
        fields: ``data.fields.*`` that are set: role (instruction, input, output, category) to field name.
        num_examples: size of a generated dataset.
        worked: whether generated responses show the steps, not the number alone.
        steps: the most steps of a generated problem; 0 for any.
        seed: the run's seed.
        splitter: ``data.splitter``.
        task: ``data.task``: auto, generation or classification.
        template: ``data.template``; empty for the task's own.
        label_words: ``data.label_words``; empty for the task's own.
        polarity: ``data.polarity``, the size of a rating from which a text is polar.
        downloads: the folder that files of the web are kept in.
    """

    name: str
    root: Path
    file: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    num_examples: int = 0
    worked: bool = True
    steps: int = 0
    seed: int = 0
    splitter: str = "iid"
    task: str = "auto"
    template: str = ""
    label_words: tuple[str, ...] = ()
    polarity: float = 1.0
    downloads: Path = field(default_factory=lambda: cache_folder() / "datasets")


class Source(Protocol):
    """A dataset that can be loaded; the registered class or function makes it without arguments."""

    def load(self, request: Request) -> Dataset:
        """Return the dataset.

        Raises:
            ConfigurationError: the request does not fit this dataset.
            ResourceError: the data is missing, malformed, or out of reach.
        """
        ...
