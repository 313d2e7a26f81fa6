"""Natural Instructions: tasks defined in words, with inputs and right outputs (Wang et al. 2022, arXiv:2204.07705)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.data.examples import Dataset, Example
from fedmezo.data.sources import register
from fedmezo.data.sources.fields import Fields, text_of, to_examples
from fedmezo.data.sources.files import find_file
from fedmezo.data.sources.rows import Row, read_json, type_name
from fedmezo.data.sources.source import Request

FILES = "task*.json"


@register("natural-instructions@llm")
class NaturalInstructions:
    """The instances of local files, one a task: ``{"Definition": [...], "Instances": [{"input", "output": [...]}]}``.

    The definition is the instruction, the first output is learnt, all are right answers, and the task is the category.
    """

    def load(self, request: Request) -> Dataset:
        """Load the named file, or all there are under ``data.root`` (see :class:`Source`)."""
        if request.fields:
            role = next(iter(request.fields))
            raise ConfigurationError(
                f"data.fields.{role} = {request.fields[role]}\n    {request.name} has the fields of its files"
            )
        paths = [find_file(request.file, request.root)] if request.file else _local(request)
        examples = tuple(example for path in paths for example in _examples(path))
        source = str(paths[0]) if len(paths) == 1 else f"{len(paths)} files {paths[0].parent / FILES}"
        return Dataset(request.name, examples, 0, source)


def _local(request: Request) -> list[Path]:
    folders = (request.root, request.root / request.name.partition("@")[0])
    paths = next(filter(None, (sorted(folder.glob(FILES)) for folder in folders)), [])
    if not paths:
        raise ResourceError(
            f"data.type = {request.name}: no local file\n    put files {FILES} of Natural Instructions into "
            f"{' or '.join(map(str, folders))}, or name one with data.file"
        )
    return paths


def _examples(path: Path) -> Iterator[Example]:
    instances = _instances(path)
    references = [_outputs(place, value["output"]) for place, value in instances]
    pairs = zip(instances, references, strict=True)
    rows = [Row(place, value | {"output": right[0]}) for (place, value), right in pairs]
    for example, right in zip(to_examples(rows, Fields(), {}), references, strict=True):
        yield replace(example, references=right)


def _instances(path: Path) -> list[tuple[str, dict[str, object]]]:
    """Return the instances of a file with the place of each, and with the definition and the name of its task."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("Instances"), list) or not content["Instances"]:
        raise ResourceError(f"{path}: expected an object with Definition and a list of Instances")
    lines = content.get("Definition")
    texts = [text_of(line) for line in (lines if isinstance(lines, list) else [lines])]
    if None in texts or not texts:
        raise ResourceError(f"{path}: Definition is {type_name(lines)}, expected a text or a list of texts")
    task = {"instruction": "\n".join(filter(None, texts)), "category": path.stem}
    found = []
    for number, instance in enumerate(content["Instances"], start=1):
        place = f"{path}: instance {number}"
        if not isinstance(instance, dict):
            raise ResourceError(f"{place}: expected an object, found {type_name(instance)}")
        found.append((place, {"input": instance.get("input"), "output": instance.get("output"), **task}))
    return found


def _outputs(place: str, output: object) -> tuple[str, ...]:
    texts = [text_of(each) for each in (output if isinstance(output, list) else [output])]
    if not texts or None in texts:
        raise ResourceError(f"{place}: output is {type_name(output)}, expected a list of texts, at least one")
    return tuple(text for text in texts if text is not None)
