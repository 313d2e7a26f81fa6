"""Snapshots of the global parameters: safetensors, written atomically, the last two kept."""

import os
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

KEPT = 2


class Snapshots:
    """The snapshots of a run.

    Args:
        folder: made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, rounds_done: int, parameters: Tensor) -> None:
        """Keep the parameters [d] as they are after ``rounds_done`` rounds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self._path(rounds_done)
        scratch = target.with_suffix(".tmp")
        save_file({"parameters": parameters.detach().cpu().contiguous()}, scratch)
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        scratch.replace(target)
        older = [number for number in self.rounds() if number < rounds_done]
        for number in older[: len(older) - KEPT + 1]:
            self._path(number).unlink()

    def rounds(self) -> list[int]:
        """Return after which numbers of rounds there is a snapshot, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("*.safetensors") if path.stem.isdecimal())

    def latest(self, up_to: int, size: int) -> tuple[int, Tensor] | None:
        """Return (rounds done, parameters [size]) of the newest readable snapshot of at most ``up_to`` rounds."""
        for number in reversed([number for number in self.rounds() if number <= up_to]):
            with suppress(SafetensorError, OSError, KeyError):  # a damaged one: an older one and a replay will do
                parameters: Tensor = load_file(self._path(number))["parameters"]
                if parameters.shape == (size,):
                    return number, parameters.to(torch.float32)
        return None

    def _path(self, rounds_done: int) -> Path:
        return self.folder / f"{rounds_done:06d}.safetensors"
