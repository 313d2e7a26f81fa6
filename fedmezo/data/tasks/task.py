"""A task: how a row is put into words, and which answers there are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import listing, nearest

Kind = Literal["classification", "generation"]
PLACE = re.compile(r"\{(\w+)\}")
TEXT = "{text}"


@dataclass(frozen=True)
class HubSplits:
    """A data set of the Hugging Face hub, of a fixed revision, with the names of its training and its test split."""

    id: str
    revision: str
    splits: tuple[str, ...]
    config: str | None = None
    tested: bool = False


@dataclass(frozen=True)
class Task:
    """What is asked of every row of a data set.

    Attributes:
        name: of the data set.
        kind: a label word is chosen (classification), or the answer written (generation).
        template: a text with places for fields, one of them ``{text}``: the part that may be cut.
        fields: the column of each field; a path with dots leads into lists and objects.
        labels: for classification, the values of the field ``label`` that stand for each label word, in order.
        words: of a field, what is written for some of its values.
        files: local files, of training and of test examples.
        hub: where the hub has the data set.
        phrases: whether texts may be parts of one another, which are then never cut apart into training and held-out.
        archive: the reader of the package's own that gives the rows, by name.
        references: for generation, the column of all right answers: a list of texts, or of lists of spans; empty where
            the answer is the only one.
        candidates: for generation, the column of the texts that an answer is chosen among; empty where it is written.
        metrics: for generation, the metrics of texts that answers are evaluated by where no others are asked for.
    """

    name: str
    kind: Kind
    template: str
    fields: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    hub: HubSplits | None = None
    phrases: bool = False
    archive: str = ""
    references: str = ""
    candidates: str = ""
    metrics: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """Where the rows have the fields, the right answers and the candidates."""
        lists = {"references": self.references, "candidates": self.candidates}
        return {**self.fields, **{name: path for name, path in lists.items() if path}}

    @property
    def classes(self) -> tuple[str, ...]:
        """The label word of each class; empty for generation."""
        return tuple(self.labels) if self.kind == "classification" else ()

    @property
    def label_words(self) -> tuple[str, ...]:
        """The same, as they stand before the model."""
        return tuple(map(self.response, self.classes))

    def response(self, word: str) -> str:
        """Return an answer as it follows the template: after a space, unless the template ends with white space."""
        return word if self.template[-1:].isspace() else f" {word}"

    def rendered(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return what stands before and after the text, with the values of the other fields in their places."""
        before, _, after = self.template.partition(TEXT)
        return _filled(before, values), _filled(after, values)

    def asked(self, kind: str = "auto", template: str = "", label_words: tuple[str, ...] = ()) -> "Task":
        """Return the task as the configuration wants it.

        Args:
            kind: ``data.task``.
            template: ``data.template``; empty for the task's own.
            label_words: ``data.label_words``, in the order of the labels; empty for the task's own.

        Raises:
            ConfigurationError: the data have no classes, or the template or the words do not fit.
        """
        if kind == "classification" and not self.labels:
            raise ConfigurationError(f"data.task = classification\n    {self.name} has no classes: use generation")
        found = self if kind == "auto" else replace(self, kind=cast(Kind, kind))
        if label_words:
            found = replace(found, labels=_renamed(self, label_words))
        if template:
            check_template(template, self.fields, f"data.template = {template!r}\n    ")
            found = replace(found, template=template)
        return found


def check_template(template: str, fields: Mapping[str, str], place: str) -> None:
    """Make sure that a template has a place for the text, once, and places for fields that there are.

    Raises:
        ConfigurationError: it has not.
    """
    places = PLACE.findall(template)
    allowed = [name for name in fields if name not in ("label", "answer", "category")]
    for name in places:
        if name not in allowed:
            known = listing([f"{{{each}}}" for each in allowed])
            raise ConfigurationError(f"{place}there is no field {{{name}}}: expected {known}{nearest(name, allowed)}")
    if places.count("text") != 1:
        raise ConfigurationError(f"{place}expected the place {TEXT} once, found {places.count('text')} of them")


def _renamed(task: Task, label_words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    key = f"data.label_words = {list(label_words)}"
    if len(label_words) != len(task.labels):
        own = listing(task.labels) if task.labels else "none"
        raise ConfigurationError(
            f"{key}\n    expected {len(task.labels)}, a word for each class of {task.name}, in their order: {own}"
        )
    if len(set(label_words)) < len(label_words) or not all(word.strip() for word in label_words):
        raise ConfigurationError(f"{key}\n    expected words that differ, none empty")
    return dict(zip(label_words, task.labels.values(), strict=True))


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: values[place[1]], text)
