"""YAML files of tasks: what they say, and what is said about mistakes in them."""

from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.load import DESCRIBED
from fedmezo.data.tasks.read import read_task
from fedmezo.data.tasks.task import HubSplits

SOUND = """\
kind: classification
template: "{text} It was"
fields: {text: sentence, label: label}
labels: {bad: "0", good: ["1", "true"]}
files: [train.tsv, dev.tsv]
hub: {id: a/b, config: c, revision: "1", splits: [train, validation]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_is_what_its_file_says(tmp_path: Path) -> None:
    task = read_task(write(tmp_path, SOUND), "own")
    assert (task.name, task.kind, task.template) == ("own", "classification", "{text} It was")
    assert task.labels == {"bad": ("0",), "good": ("1", "true")} and task.label_words == (" bad", " good")
    assert task.files == ("train.tsv", "dev.tsv") and task.fields == {"text": "sentence", "label": "label"}
    assert task.hub == HubSplits("a/b", "1", ("train", "validation"), "c")


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_shipped_task_can_be_read_and_pins_what_it_fetches(name: str) -> None:
    task = read_task(DESCRIBED[name], name)
    assert task.archive or task.files
    if task.hub:
        assert len(task.hub.revision) == 40 and set(task.hub.revision) <= set("0123456789abcdef")
        assert len(task.hub.splits) == 2 == len(task.files)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("kind: classification", "kind: clasification", 1, "expected classification or generation; the nearest is"),
        ("kind: classification\n", "", 1, "kind is missing"),
        ('template: "{text} It was"', "template: [a]", 2, "expected a text"),
        ('template: "{text} It was"', 'template: "It was"', 2, "expected the place {text} once, found 0 of them"),
        ('template: "{text} It was"', 'template: "{text} {text}"', 2, "found 2 of them"),
        (
            'template: "{text} It was"',
            'template: "{text} {qustion}"',
            2,
            "there is no field {qustion}",
        ),
        ("template:", "templates:", 2, "no such key; there are kind, template"),
        ("fields: {text: sentence, label: label}", "fields: {text: sentence}", 3, "label is missing"),
        ("fields: {text: sentence, label: label}", "fields: text", 3, "expected a mapping"),
        ('labels: {bad: "0", good: ["1", "true"]}\n', "", 1, "labels is missing"),
        ('good: ["1", "true"]', 'good: ["1", "0"]', 4, "0 is the value of bad, good; expected one word"),
        ('good: ["1", "true"]', 'bad: "1"', 4, "given twice; the first is at"),
        ("files: [train.tsv, dev.tsv]", "files: [[a]]", 5, "expected a text"),
        (", splits: [train, validation]}", "}", 6, "splits is missing"),
        ("config: c", "tested: perhaps", 6, "expected true or false"),
        ('revision: "1"', 'revisions: "1"', 6, "no such key; there are id, config, revision"),
        ("files: [", "files: ]", 5, "not YAML"),
        ("files:", "references: answers\nfiles:", 5, "it is for kind: generation"),
        ("files:", "metrics: [f1, rouge]\nfiles:", 5, "rouge is no metric of texts: expected drop_exact_match"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, old: str, new: str, line: int, expected: str) -> None:
    assert old in SOUND
    path = write(tmp_path, SOUND.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        read_task(path, "own")
    assert f"{path}:{line}" in str(caught.value) and expected in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("", "expected a mapping"), ("- a", "expected a mapping with kind")])
def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        read_task(write(tmp_path, text), "own")


def test_a_file_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, SOUND)
    with pytest.raises(ConfigurationError, match=r"no such file; the nearest is task\.yaml"):
        read_task(tmp_path / "tasks.yaml", "own")
