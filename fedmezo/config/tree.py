"""The tree that the program reads: building, and writing as YAML."""

from collections.abc import Mapping
from typing import Any

import yaml
from yacs.config import CfgNode

from fedmezo.core.documents.nodes import NUMERIC


class _Dumper(yaml.SafeDumper):
    """Quotes text such as ``1e-2``, which would be read as a number."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", NUMERIC, list("-+.0123456789"))


def frozen_tree(values: Mapping[str, Any]) -> CfgNode:
    """Return the tree of dotted keys, frozen."""
    root: dict[str, Any] = {}
    for name, value in values.items():
        *groups, leaf = name.split(".")
        node = root
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    tree = CfgNode(root)
    tree.freeze()
    return tree


def leaves(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the values of a tree by dotted key: what :func:`frozen_tree` was given."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= leaves(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found


def to_dict(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree, or a mapping in one, as plain dicts and lists: a copy that may be changed."""
    return {name: plain(value) for name, value in node.items()}


def plain(value: Any) -> Any:
    """Return a value with dicts for mappings and lists for tuples."""
    if isinstance(value, Mapping):
        return to_dict(value)
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def dump(cfg: CfgNode) -> str:
    """Return a configuration as YAML text, all ASCII; loading it gives an equal tree."""
    return in_yaml(cfg)


def in_yaml(tree: Mapping[str, Any]) -> str:
    """Return a mapping as YAML text, all ASCII; text that looks like a number is in quotes."""
    return yaml.dump(to_dict(tree), Dumper=_Dumper, sort_keys=False)
