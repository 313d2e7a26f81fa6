"""Datasets that a task describes: local files, the hub, or an archive; rows become examples by the task's template."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.log import LOG
from fedmezo.core.text import listing, nearest
from fedmezo.data.examples import Dataset, Example
from fedmezo.data.sources.fields import HALF_PAIR, MOST_LISTED, text_of
from fedmezo.data.sources.files import find_file, is_file
from fedmezo.data.sources.hub import hub_rows
from fedmezo.data.sources.opinions import read_opinions
from fedmezo.data.sources.rows import Row, read_rows, type_name
from fedmezo.data.sources.source import Request
from fedmezo.data.sources.vader_sentiment import read_sentiment
from fedmezo.data.tasks.task import Task
from fedmezo.text_metrics import Reference, as_text

Parts = tuple[list[list[Row]], str]  # rows of training, and of a test set of its own; where they came from
ARCHIVES: Mapping[str, Callable[[Request], Parts]] = {
    "opinions": read_opinions,
    "vader_sentiment": read_sentiment,
}


class TaskSource:
    """The examples of a task."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def load(self, request: Request) -> Dataset:
        """Load the rows, and put them into the task's words (see :class:`Source`)."""
        if request.fields:
            role = next(iter(request.fields))
            raise ConfigurationError(
                f"data.fields.{role} = {request.fields[role]}\n    the fields of {self.task.name} are in a YAML file: "
                "a copy of it with others is named with data.type"
            )
        parts, source = self._parts(request)
        examples = [task_examples(rows, self.task) for rows in parts]
        together = tuple(example for part in examples for example in part)
        return Dataset(request.name, together, sum(map(len, examples[1:])), source, self.task)

    def _parts(self, request: Request) -> Parts:
        if request.file:
            path = find_file(request.file, request.root)
            return [read_rows(path)], str(path)
        if self.task.archive:
            return _archive(self.task.archive)(request)
        if paths := self._local(request):
            return [read_rows(path) for path in paths], " and ".join(map(str, paths))
        return self._of_the_hub(request)

    def _local(self, request: Request) -> list[Path]:
        """Return the local files that are there: that of training, and that of a test set if there is one."""
        paths = [request.root / name for name in self.task.files]
        found = list(filter(is_file, paths))
        if found and found[0] != paths[0]:
            raise ResourceError(f"data.type = {request.name}\n    {paths[0]} is missing; {found[0]} is there")
        return found

    def _of_the_hub(self, request: Request) -> Parts:
        hub, files = self.task.hub, " and ".join(self.task.files)
        local = (
            f"put {files} into {request.root}, or name a file with data.file" if files else "name a file with data.file"
        )
        if hub is None:
            raise ResourceError(f"data.type = {request.name}: no local file\n    {local}")
        if not hub.tested:
            LOG.warning(f"data.type = {request.name}: untested with the files of the hub, only with rows of their form")
        try:
            parts = [hub_rows(hub.id, hub.config, split, hub.revision) for split in hub.splits]
        except ResourceError as error:
            raise ResourceError(f"{error}\n    or {local}") from error
        return parts, f"{hub.id}{f', {hub.config}' if hub.config else ''} of the hub, revision {hub.revision[:8]}"


def _archive(name: str) -> Callable[[Request], Parts]:
    if name not in ARCHIVES:
        known = f"expected {listing(ARCHIVES)}{nearest(name, ARCHIVES)}"
        raise ConfigurationError(f"archive = {name}\n    there is no such archive: {known}; a task of yours has files")
    return ARCHIVES[name]


def task_examples(rows: Sequence[Row], task: Task) -> list[Example]:
    """Turn rows into the examples of a task.

    Raises:
        ResourceError: a column exists in no row, or rows are malformed (the first ten are listed).
    """
    _check_columns(rows, task)
    read = _Reading(task)
    examples, problems = [], []
    for row in rows:
        try:
            examples.append(read.example(row.value))
        except _WrongRow as wrong:
            problems.append(f"{row.place}{wrong}")
    if problems:
        shown = "\n    ".join(problems[:MOST_LISTED])
        more = f"\n    and {len(problems) - MOST_LISTED} more" if len(problems) > MOST_LISTED else ""
        raise ResourceError(f"{len(problems)} of {len(rows)} rows are malformed\n    {shown}{more}")
    return examples


def _check_columns(rows: Sequence[Row], task: Task) -> None:
    known = dict.fromkeys(key for row in rows if isinstance(row.value, dict) for key in row.value)
    for field, path in task.columns.items():
        column = path.partition(".")[0]
        if known and column not in known:
            where = re.sub(r":( row)? ?\d+$", "", rows[0].place)
            raise ResourceError(
                f"{where}: the {field} of {task.name} is in {column}, which no row has{nearest(column, known)}\n"
                f"    the rows have {listing(known)}"
            )


class _WrongRow(ValueError):  # noqa: N818  it never leaves this file
    """What is wrong with a row, to stand behind its place."""


class _Reading:
    """Reads rows as a task says."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._words = {value: word for word, values in task.labels.items() for value in values}

    def example(self, row: object) -> Example:
        """Return the example of a row.

        Raises:
            _WrongRow: it has none.
        """
        if not isinstance(row, dict):
            raise _WrongRow(f": expected an object, found {type_name(row)}")
        values = {field: self._value(row, field, path) for field, path in self._task.fields.items()}
        before, after = self._task.rendered(values)
        label = self._label(row, values) if self._task.labels else None
        answer = values["answer"] if label is None else label
        return Example(
            before,
            values["text"].strip(),
            self._task.response(answer.strip()),
            values.get("category") or None,
            after,
            label,
            self._texts(row, self._task.references) if self._task.references else (),
            self._candidates(row) if self._task.candidates else (),
        )

    def _candidates(self, row: Mapping[str, object]) -> tuple[str, ...]:
        """Return the responses to choose among, each once."""
        texts = (as_text(each).strip() for each in self._texts(row, self._task.candidates))
        return tuple(dict.fromkeys(map(self._task.response, texts)))

    def _texts(self, row: Mapping[str, object], path: str) -> tuple[Reference, ...]:
        """Return the texts of a list, or the one that stands in its place."""
        value = _within(row, path.split("."))
        found = [_reference(each) for each in (value if isinstance(value, list) else [value])]
        texts = tuple(each for each in found if each is not None)
        if not texts or len(texts) < len(found):
            held = value[found.index(None)] if isinstance(value, list) and value else value
            wrong = "an empty list" if held == [] else type_name(held)
            raise _WrongRow(f"{_column(row, path)}: {path} holds {wrong}, expected a list of texts")
        return texts

    def _value(self, row: Mapping[str, object], field: str, path: str) -> str:
        text = text_of(_within(row, path.split(".")))
        if text is None or HALF_PAIR.search(text):
            absent = "missing" if path.partition(".")[0] not in row else type_name(_within(row, path.split(".")))
            found = absent if text is None else "half of a surrogate pair"
            raise _WrongRow(f"{_column(row, path)}: {path} is {found}, expected a text, a number, true or false")
        words = self._task.words.get(field)
        if words is None:
            return text
        if text not in words:
            raise _WrongRow(f"{_column(row, path)}: {path} is {text!r}, expected one of {listing(words)}")
        return words[text]

    def _label(self, row: Mapping[str, object], values: Mapping[str, str]) -> str:
        path = self._task.fields["label"]
        word = self._words.get(values["label"])
        if word is None:
            raise _WrongRow(
                f"{_column(row, path)}: {path} is {values['label']!r}, no label of {self._task.name}: expected one of "
                f"{listing(self._words)}"
            )
        return word


def _reference(value: object) -> Reference | None:
    """Return a text, or those of a list of them; None for anything else."""
    spans = [text_of(each) for each in (value if isinstance(value, list) else [value])]
    texts = tuple(text for text in spans if text is not None and not HALF_PAIR.search(text))
    if not texts or len(texts) < len(spans):
        return None
    return texts if isinstance(value, list) else texts[0]


def _column(row: Mapping[str, object], path: str) -> str:
    """Return which column of the row a path leads to, as messages name it."""
    column = path.partition(".")[0]
    return f", column {list(row).index(column) + 1}" if column in row else ""


def _within(value: object, path: Sequence[str]) -> object:
    """Return what a path leads to; None where it leads nowhere."""
    for step in path:
        match value:
            case dict():
                value = value.get(step)
            case list() if step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value
