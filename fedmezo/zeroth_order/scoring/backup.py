"""A vector that may be moved for a while: its values are kept where memory is not what the model is short of."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fedmezo.core.errors import ResourceError
from fedmezo.core.interrupt import undisturbed

CHUNK = 1 << 22  # elements written or read at a time


@contextmanager
def backed_up(vector: Tensor, folder: Path) -> Iterator[None]:
    """Bring a vector [d] back, bit for bit, at the end of the block.

    That of a GPU is kept in the memory of the host, that of the host in a file of the folder, which has no name and
    vanishes with the process. It is read, not mapped: mapped pages would count as memory of the process.

    Raises:
        ResourceError: there is no room in the folder.
    """
    with _in_host_memory(vector) if vector.device.type != "cpu" else _on_disk(vector, folder):
        yield


@contextmanager
def _in_host_memory(vector: Tensor) -> Iterator[None]:
    kept = vector.cpu()
    try:
        yield
    finally:
        with undisturbed():
            vector.copy_(kept)


@contextmanager
def _on_disk(vector: Tensor, folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  it is closed below
    except OSError as error:
        raise _no_room(folder, error) from error
    with file:
        try:
            for part in torch.split(vector, CHUNK):
                _write(file, _bytes(part))
            file.seek(0)
        except OSError as error:
            raise _no_room(folder, error) from error
        try:
            yield
        finally:
            with undisturbed():
                _read(file, vector)


def _write(file: Any, values: memoryview) -> None:
    while values:
        values = values[file.write(values) :]


def _read(file: Any, vector: Tensor) -> None:
    scratch = torch.empty(min(CHUNK, vector.numel()), dtype=vector.dtype)
    for part in torch.split(vector, CHUNK):
        values = scratch[: part.numel()]
        wanted = _bytes(values)
        while wanted:
            count = file.readinto(wanted)
            if not count:
                raise OSError("the file of a round's start ended early")
            wanted = wanted[count:]
        part.copy_(values)


def _bytes(values: Tensor) -> memoryview:
    return values.view(torch.uint8).numpy().data


def _no_room(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(
        f"{folder}\n    cannot keep the parameters of a round's start there: {error}; "
        "llm.cache.model names another folder"
    )
