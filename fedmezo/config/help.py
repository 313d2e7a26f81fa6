"""Help on the keys of the configuration."""

from typing import Any

import yaml

from fedmezo.config.key import Key
from fedmezo.config.schema import GROUPS, KEYS, SECTIONS
from fedmezo.config.tree import plain
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import nearest_key


def help_config(key: str | None = None) -> str:
    """Return help on all keys by section, on one section or group, or on one key in full.

    Args:
        key: a dotted key, the name of a section or group, or None.

    Raises:
        ConfigurationError: there is no such key; the message names the nearest.
    """
    if key in KEYS:
        return _in_full(KEYS[key])
    listed = [
        (section.help, keys)
        for section in SECTIONS
        if (keys := [each for each in section.keys if _belongs(each.name, section.name, key)])
    ]
    if not listed:
        names = [*KEYS, *GROUPS]
        raise ConfigurationError(f"no such key: {key}{nearest_key(str(key), names)}")
    return "\n\n".join("\n".join([heading, *map(_in_brief, keys)]) for heading, keys in listed)


def _belongs(name: str, section: str, wanted: str | None) -> bool:
    return wanted is None or wanted == section or name.startswith(f"{wanted}.")


def _in_brief(key: Key) -> str:
    return f"  {key.name} = {shown(key.default)}\n      {key.summary}"


def _in_full(key: Key) -> str:
    return f"{key.name}\n  {key.summary}\n  Default: {shown(key.default)}\n  Allowed: {key.kind.describe()}"


def shown(default: Any) -> str:
    """Return a default as it is written in YAML."""
    text = yaml.safe_dump(plain(default), default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()
