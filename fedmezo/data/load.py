"""From the name of a dataset to its examples, and to what is asked of them."""

from pathlib import Path

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.registry import described_names
from fedmezo.core.text import alternatives, listing, nearest
from fedmezo.data import sources
from fedmezo.data.examples import Dataset
from fedmezo.data.sources import hub, registry
from fedmezo.data.sources.files import AnyFile
from fedmezo.data.sources.rows import SUFFIXES
from fedmezo.data.sources.source import Request, Source
from fedmezo.data.sources.task_rows import TaskSource
from fedmezo.data.sources.validation import checked_dataset
from fedmezo.data.tasks.read import read_task
from fedmezo.data.tasks.task import Task

DESCRIBED = described_names(Path(sources.__file__).parent)
TASK_FILES = (".yaml", ".yml")


def load_dataset(request: Request, task: Task | None = None) -> Dataset:
    """Load the dataset that ``request.name`` says: a registered name, a task, a file, or a dataset of the hub.

    Args:
        request: what the configuration says about it.
        task: that of the dataset, if it is to be another one than :func:`find_task` gives.

    Raises:
        ConfigurationError: an unknown dataset, or keys that do not fit it.
        ResourceError: the data is missing, malformed, or out of reach.
    """
    task = task or find_task(request)
    source = TaskSource(task) if task else _source(request.name)
    return checked_dataset(source, source.load(request))


def find_task(request: Request) -> Task | None:
    """Return what is asked of every row of the dataset; None where each says itself what is asked.

    Raises:
        ConfigurationError: the file of the task is wrong, or the keys of the request do not fit it.
    """
    path = DESCRIBED.get(request.name)
    if path is None and request.name.lower().endswith(TASK_FILES):
        path = next((each for each in (request.root / request.name, Path(request.name)) if each.is_file()), None)
        if path is None:
            raise ConfigurationError(f"data.type = {request.name}\n    {request.root / request.name}: no such file")
    if path is not None:
        return read_task(path, request.name).asked(request.task, request.template, request.label_words)
    _check_generation(request)
    return None


def _check_generation(request: Request) -> None:
    """Make sure that nothing is asked for that only tasks have."""
    given = {
        "data.task": request.task if request.task == "classification" else "",
        "data.template": request.template,
        "data.label_words": list(request.label_words),
    }
    for key, value in given.items():
        if value:
            raise ConfigurationError(
                f"{key} = {value}\n    {request.name} is no task with a template: those are {listing(DESCRIBED)}, "
                "or a YAML file of yours"
            )


def _source(data_type: str) -> Source:
    if data_type.lower().endswith(SUFFIXES):
        return AnyFile()
    if data_type.endswith(hub.SUFFIX):
        return hub.HubSource()
    try:
        source = registry[data_type]
    except KeyError:
        known = (*registry.names(), *DESCRIBED)
        raise ConfigurationError(
            f"data.type = {data_type}: no such dataset{nearest(data_type, known)}\n"
            f"    allowed are {listing(known)}, a file ending in {alternatives((*SUFFIXES, *TASK_FILES))}, "
            f"or OWNER/NAME{hub.SUFFIX}"
        ) from None
    return source()
