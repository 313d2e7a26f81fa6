"""Settings: what one source says, as values of dotted keys."""

from dataclasses import dataclass
from typing import Any

from yaml import Node

from fedmezo.config.schema import GROUPS, KEYS, OPEN_GROUPS, parent
from fedmezo.config.types import Anything
from fedmezo.core.documents.nodes import is_mapping, is_nothing, pairs
from fedmezo.core.documents.problems import Problems
from fedmezo.core.text import nearest_key


@dataclass(frozen=True)
class Setting:
    """A value and the node that it was read from."""

    value: Any
    node: Node


Settings = dict[str, Setting]


def read_group(node: Node, group: str, problems: Problems) -> Settings:
    """Return the settings in a mapping.

    Args:
        node: the mapping.
        group: the dotted name of what it sets; empty for a whole file.
        problems: takes what is wrong with it.
    """
    if is_nothing(node):
        return {}
    if not is_mapping(node):
        problems.reject(node, group, "expected a mapping of keys")
        return {}
    settings: Settings = {}
    for pair in pairs(node):
        name = f"{group}.{pair.word}" if group else pair.word
        wrong = pair.wrong or _unknown(name, group)
        if wrong:
            problems.reject(pair.value, name, wrong, at=pair.key)
        else:
            settings |= read_name(name, pair.value, problems)
    return settings


def read_name(name: str, node: Node, problems: Problems) -> Settings:
    """Return the settings in the node of a dotted name: one for a key, any number for a group."""
    if wrong := _unknown(name, parent(name)):
        problems.reject(node, name, wrong)
        return {}
    if name in GROUPS:
        return read_group(node, name, problems)
    kind = KEYS[name].kind if name in KEYS else Anything()
    return {name: Setting(kind.convert(node, name, problems), node)}


def _unknown(name: str, group: str) -> str:
    """Return why there is no such key in a group; empty where there is, or where the group takes any."""
    if name in KEYS or name in GROUPS:
        dotted = parent(name) != group
        return "dots are for the command line; here the groups are nested mappings" if dotted else ""
    if group in OPEN_GROUPS and name.removeprefix(f"{group}.").isidentifier():
        return ""
    return f"no such key{nearest_key(name, [*KEYS, *GROUPS])}"
