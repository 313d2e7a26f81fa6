"""Settings from the command line: ``key value`` pairs."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fedmezo.config.schema import BASE, GROUPS, KEYS
from fedmezo.config.settings import Settings, read_name
from fedmezo.config.types import Anything, Arguments, FieldType
from fedmezo.core.documents.nodes import COMMAND_LINE
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import syntax_problem
from fedmezo.core.errors import ConfigurationError


def as_words(values: Mapping[str, Any]) -> list[str]:
    """Return values of keys as ``key value ...``.

    Args:
        values: numbers, texts, truth values, None, paths, and lists and mappings of these, by dotted key.

    Raises:
        ConfigurationError: a value is something else.
    """
    return [word for key, value in values.items() for word in (key, _as_word(key, value))]


def _as_word(key: str, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=os.fspath)  # YAML reads JSON
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{key} = {value!r}\n    it cannot be said in YAML: {error}") from error


def read_overrides(words: Sequence[str], problems: Problems) -> Settings:
    """Return the settings of ``key value key value ...``; of a key given twice the later value wins.

    Args:
        words: dotted keys, each followed by its value in YAML, or as it is where text is wanted.
        problems: takes what is wrong with them.
    """
    settings: Settings = {}
    for name, text in zip(words[::2], words[1::2], strict=False):
        settings |= _read(name, text, problems)
    if len(words) % 2:
        wrong = "a key without a value; write key value key value ..."
        problems.append(Problem(COMMAND_LINE, words[-1], "", wrong))
    return settings


def _read(name: str, text: str, problems: Problems) -> Settings:
    if name == BASE:
        problems.append(Problem(COMMAND_LINE, name, text, "belongs in a file"))
        return {}
    try:
        node = _kind(name).typed(text)
    except yaml.YAMLError as error:
        problems.append(syntax_problem(error, text, COMMAND_LINE, name))
        return {}
    return read_name(name, node, problems)


def _kind(name: str) -> FieldType:
    if name in GROUPS:
        return Arguments()
    return KEYS[name].kind if name in KEYS else Anything()
