"""A vector that may be moved for a while: its values wait in a file that has no name and vanishes with the process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from fedmezo.cache import cache_folder
from fedmezo.errors import ResourceError

CHUNK = 1 << 22  # elements written or read at a time


@contextmanager
def kept_on_disk(vector: Tensor) -> Iterator[None]:
    """Bring an fp32 vector [d] back, bit for bit, at the end of the block.

    It is read, not mapped: mapped pages would count as memory of the process.

    Raises:
        ResourceError: there is no room on the disk of the cache.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  it is closed below
    except OSError as error:
        raise ResourceError(f"{folder}\n    cannot keep the parameters of a round's start there: {error}") from error
    with file:
        try:
            for part in torch.split(vector, CHUNK):
                file.write(part.cpu().numpy().data)
            file.seek(0)
        except OSError as error:
            raise ResourceError(f"{folder}\n    no room for the parameters of a round's start: {error}") from error
        try:
            yield
        finally:
            _read(file, vector)


def _read(file: BinaryIO, vector: Tensor) -> None:
    scratch = np.empty(min(CHUNK, vector.numel()), dtype=np.float32)
    for part in torch.split(vector, CHUNK):
        values = scratch[: part.numel()]
        file.readinto(values.data)  # type: ignore[attr-defined]
        part.copy_(torch.from_numpy(values))
