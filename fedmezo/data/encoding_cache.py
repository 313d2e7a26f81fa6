"""Encoded data on disk: safetensors files named by a hash of everything the tokens depend on."""

import hashlib
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fedmezo.core.log import LOG

FORMAT = "fedmezo encoded examples 2"

Arrays = dict[str, NDArray[Any]]


def content_key(prompts: Sequence[str], responses: Sequence[str], settings: str) -> str:
    """Return the name of the data that these texts and settings give: 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for text in (FORMAT, settings, str(len(prompts)), *prompts, *responses):
        # The length goes first, so that no two lists of texts feed the same bytes.
        encoded = text.encode()
        digest.update(struct.pack("<q", len(encoded)) + encoded)
    return digest.hexdigest()


def read_arrays(path: Path) -> Arrays | None:
    """Return what :func:`write_arrays` wrote, or None where there is no such file or it is damaged."""
    try:
        arrays: Arrays = load(path.read_bytes())
    except (OSError, SafetensorError):
        return None
    checksum = arrays.pop("checksum", None)
    if checksum is None or not np.array_equal(checksum, _checksum(arrays)):
        return None
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays so that a reader sees all of them or none, even if the writer is killed; warn if that cannot be."""
    content = save({**arrays, "checksum": _checksum(arrays)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, suffix=".tmp") as private:
            scratch = Path(private) / path.name
            scratch.write_bytes(content)
            scratch.replace(path)
    except OSError as error:
        LOG.warning(f"{path.parent}: the cache of encoded data cannot be written ({error.strerror}): none is kept")


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    digest = hashlib.blake2b()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)
