"""What a node says of itself before it is given work, and whether it works on the same run as the server.

The answers of a client follow from its data, its task and what both sides have in common: the keys of the
configuration that a client's work depends on, the base model, the layout of the parameters and the starting point. A
node that has its part of the server's division of the data must have divided the same data; one with data of its own
says so.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fedmezo.core.errors import MalformedError

ANY = -1
WORDS = {
    "model": "base model",
    "parameters": "names and shapes of the trained parameters",
    "initial": "starting point",
    "partition": "division of the data among clients",
    "data": "encoded data",
}

OF_DATA = ("partition", "data")


@dataclass(frozen=True)
class Handshake:
    """What a node, or the server, works on.

    Args:
        client: that the node works for, or :data:`ANY`.
        configuration: the keys that a client's work depends on, by dotted name.
        hashes: in hexadecimal, by the names of :data:`WORDS`; those of the data are missing where they are its own.
        threads: of a forward pass; results are the same bit for bit where they are equal.
        data: the keys that the division of the data depends on, by dotted name.
    """

    client: int
    configuration: Mapping[str, Any]
    hashes: Mapping[str, str]
    threads: int
    data: Mapping[str, Any] = field(default_factory=dict)

    def pack(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), sort_keys=True)

    def mismatches(self, other: "Handshake") -> list[str]:
        """Return in what another one differs: its keys with both values, or what it has else."""
        common = (name for name in WORDS if name in self.hashes and name in other.hashes)
        unlike = [name for name in common if self.hashes[name] != other.hashes[name]]
        keys = _unlike(self.configuration, other.configuration)
        if any(name in OF_DATA for name in unlike):
            keys += _unlike(self.data, other.data)
        return keys or [f"another {WORDS[name]}" for name in unlike]


def unpack_handshake(text: str) -> Handshake:
    """Return what a node has said of itself.

    Raises:
        MalformedError: it is no handshake.
    """
    try:
        match json.loads(text):
            case {
                "client": int(client),
                "configuration": dict(keys),
                "hashes": dict(hashes),
                "threads": int(threads),
                "data": dict(data),
            }:
                needed = {"model", "parameters", "initial"}
                if needed <= hashes.keys() and all(isinstance(value, str) for value in hashes.values()):
                    return Handshake(client, keys, hashes, threads, data)
    except (ValueError, RecursionError):
        pass
    raise MalformedError("no handshake of a node of this version")


def _unlike(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} = {_text(theirs.get(key))} (here: {_text(mine.get(key))})"
        for key in sorted(mine.keys() | theirs.keys())
        if _text(mine.get(key)) != _text(theirs.get(key))
    ]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
