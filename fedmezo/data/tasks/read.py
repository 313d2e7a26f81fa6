"""Reading the YAML file of a task; every mistake in it is told with its line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fedmezo.core.documents.nodes import compose, is_mapping, items, pairs
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import read_text, syntax_problem
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import listing, nearest
from fedmezo.data.tasks.task import HubSplits, Task, check_template
from fedmezo.text_metrics import registry

KINDS = ("classification", "generation")
WRITTEN = ("references", "candidates", "metrics")  # keys of answers that are no label words


def read_task(path: Path, name: str) -> Task:
    """Return the task of a file.

    Args:
        path: of the file.
        name: of the data set.

    Raises:
        ConfigurationError: the file cannot be read, or is no task; the message names each line that is wrong.
    """
    problems = Problems()
    text = read_text(path, problems)
    problems.raise_if_any("the task")
    root = _composed(text or "", str(path), problems)
    values: dict[str, Any] = {}
    if root is None or not is_mapping(root):
        problems.append(Problem(str(path), "", "", f"expected a mapping with {listing(READERS)}"))
    else:
        values = _mapping(root, "", READERS, problems)
        _check_whole(root, values, problems)
    problems.raise_if_any(f"the task {name}")
    return Task(name, **values)


def _composed(text: str, source: str, problems: Problems) -> yaml.Node | None:
    try:
        return compose(text, source)
    except yaml.YAMLError as error:
        problems.append(syntax_problem(error, text, source))
    problems.raise_if_any("the task")
    return None


Reader = Callable[[yaml.Node, str, Problems], Any]


def _mapping(node: yaml.MappingNode, above: str, readers: Mapping[str, Reader], problems: Problems) -> dict[str, Any]:
    values = {}
    for pair in pairs(node):
        key = above + pair.word
        if wrong := pair.wrong or _unknown(pair.word, readers):
            problems.reject(pair.value, key, wrong, at=pair.key)
        else:
            values[pair.word] = readers[pair.word](pair.value, key, problems)
    return values


def _unknown(word: str, known: Mapping[str, Reader]) -> str:
    return "" if word in known else f"no such key; there are {listing(known)}{nearest(word, known)}"


def _text(node: yaml.Node, key: str, problems: Problems) -> str:
    if isinstance(node, yaml.ScalarNode) and node.value:
        return str(node.value)
    problems.reject(node, key, "expected a text")
    return ""


def _kind(node: yaml.Node, key: str, problems: Problems) -> str:
    word = _text(node, key, problems)
    if word and word not in KINDS:
        problems.reject(node, key, f"expected {' or '.join(KINDS)}{nearest(word, KINDS)}")
    return word


def _texts(node: yaml.Node, key: str, problems: Problems) -> tuple[str, ...]:
    nodes = items(node)
    each = [node] if nodes is None else nodes
    return tuple(_text(one, key, problems) for one in each)


def _by_name(reader: Reader) -> Reader:
    def read(node: yaml.Node, key: str, problems: Problems) -> dict[str, Any]:
        if not is_mapping(node):
            problems.reject(node, key, "expected a mapping")
            return {}
        found = {}
        for pair in pairs(node):
            if pair.wrong:
                problems.reject(pair.value, f"{key}.{pair.word}", pair.wrong, at=pair.key)
            found[pair.word] = reader(pair.value, f"{key}.{pair.word}", problems)
        return found

    return read


def _hub(node: yaml.Node, key: str, problems: Problems) -> HubSplits | None:
    if not is_mapping(node):
        problems.reject(node, key, f"expected a mapping with {listing(HUB)}")
        return None
    found = _mapping(node, f"{key}.", HUB, problems)
    if missing := [name for name in ("id", "revision", "splits") if name not in found]:
        problems.reject(node, key, f"{listing(missing)} is missing")
        return None
    return HubSplits(**found)


def _truth(node: yaml.Node, key: str, problems: Problems) -> bool:
    word = _text(node, key, problems)
    if word.lower() not in ("true", "false"):
        problems.reject(node, key, "expected true or false")
    return word.lower() == "true"


def _metrics(node: yaml.Node, key: str, problems: Problems) -> tuple[str, ...]:
    names, known = _texts(node, key, problems), registry.names()
    for name in names:
        if name and name not in known:
            problems.reject(node, key, f"{name} is no metric of texts: expected {listing(known)}{nearest(name, known)}")
    return names


HUB: dict[str, Reader] = {"id": _text, "config": _text, "revision": _text, "splits": _texts, "tested": _truth}
READERS: dict[str, Reader] = {
    "kind": _kind,
    "template": _text,
    "fields": _by_name(_text),
    "labels": _by_name(_texts),
    "words": _by_name(_by_name(_text)),
    "files": _texts,
    "hub": _hub,
    "phrases": _truth,
    "archive": _text,
    "references": _text,
    "candidates": _text,
    "metrics": _metrics,
}


def _check_whole(root: yaml.MappingNode, values: Mapping[str, Any], problems: Problems) -> None:
    """Note what is missing, and what does not go together."""
    needed = {"kind", "template", "fields"} | ({"labels"} if values.get("kind") == "classification" else set())
    nodes = {pair.word: pair.value for pair in pairs(root)}
    if missing := sorted(needed - nodes.keys()):
        problems.reject(root, "", f"{listing(missing)} is missing")
    for key in WRITTEN if values.get("kind") == "classification" else ():
        if key in nodes:
            problems.reject(nodes[key], key, "it is for kind: generation; a classification has its labels")
    if problems:
        return
    fields: Mapping[str, str] = values["fields"]
    roles = {"text", "label" if values["kind"] == "classification" else "answer"}
    if lacking := sorted(roles - fields.keys()):
        problems.reject(nodes["fields"], "fields", f"{listing(lacking)} is missing")
        return
    try:
        check_template(values["template"], fields, "")
    except ConfigurationError as error:
        problems.reject(nodes["template"], "template", str(error))
    for value, words in _claims(values.get("labels", {})).items():
        if len(words) > 1:
            problems.reject(nodes["labels"], "labels", f"{value} is the value of {listing(words)}; expected one word")


def _claims(labels: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    claims: dict[str, list[str]] = {}
    for word, values in labels.items():
        for value in values:
            claims.setdefault(value, []).append(word)
    return claims
