"""What is checked of a dataset's answer."""

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.data.examples import Dataset, Example
from fedmezo.data.sources.source import Source


def checked_dataset(source: Source, dataset: Dataset) -> Dataset:
    """Return the dataset.

    Raises:
        ConfigurationError: it is none, or holds something else than examples; the message names file and line.
    """
    if wrong := _fault(dataset):
        raise ConfigurationError(f"{defined_at(source.load)}\n    load returned {wrong}")
    return dataset


def _fault(dataset: object) -> str:
    """Return what is wrong with a dataset; empty where nothing is."""
    if not isinstance(dataset, Dataset) or not isinstance(dataset.examples, tuple):
        return f"{type(dataset).__name__}, expected a Dataset with a tuple of examples"
    if not dataset.examples:
        return "no examples"
    if not isinstance(dataset.num_own_test, int) or not 0 <= dataset.num_own_test <= len(dataset.examples):
        return f"num_own_test = {dataset.num_own_test}, of {len(dataset.examples)} examples"
    wrong = next((index for index, example in enumerate(dataset.examples) if not _is_example(example)), None)
    return "" if wrong is None else f"examples[{wrong}] = {dataset.examples[wrong]}, expected an Example of texts"


def _is_example(example: object) -> bool:
    return (
        isinstance(example, Example)
        and all(isinstance(text, str) for text in (example.instruction, example.input, example.output))
        and isinstance(example.category, str | None)
    )
