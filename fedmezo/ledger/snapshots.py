"""Snapshots of the global parameters: safetensors, written atomically, the last two kept.

A snapshot says which round of which ledger it belongs to, and the hash of what it holds: one that is damaged, or was
written after rounds that have been dropped since, is passed over.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fedmezo.core.files import saving
from fedmezo.models.hashing import point_hash

KEPT = 2
STATE = "state."  # begins the names of a rule's tensors in the file
NO_STATE: Mapping[str, Tensor] = MappingProxyType({})
PROBE = 1 << 22  # bytes read to learn how fast a snapshot can be


class Snapshots:
    """The snapshots of a run.

    Args:
        folder: made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, rounds_done: int, parameters: Tensor, chain: bytes, state: Mapping[str, Tensor] = NO_STATE) -> None:
        """Keep what there is after ``rounds_done`` rounds.

        Args:
            rounds_done: rounds.
            parameters: [d].
            chain: the ledger's hash there.
            state: of the aggregation rule, named tensors.
        """
        target = self._path(rounds_done)
        scratch = target.with_suffix(".tmp")
        held = parameters.detach().cpu().contiguous()
        metadata = {"chain": chain.hex(), "parameters": point_hash(held).hex()}
        tensors = {f"{STATE}{name}": value.detach().cpu().contiguous() for name, value in state.items()}
        metadata |= {name: point_hash(value).hex() for name, value in tensors.items()}
        with saving(target):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({"parameters": held, **tensors}, scratch, metadata)
            with scratch.open("rb") as file:
                os.fsync(file.fileno())
            scratch.replace(target)
        older = [number for number in self.rounds() if number < rounds_done]
        for number in older[: len(older) - KEPT + 1]:
            self._path(number).unlink()

    def rounds(self) -> list[int]:
        """Return after which numbers of rounds there is a snapshot, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("*.safetensors") if path.stem.isdecimal())

    def belonging(self, chains: Mapping[int, bytes]) -> list[int]:
        """Return the snapshots of a ledger's rounds, ``chains`` being its hashes by the rounds done."""
        return [number for number in self.rounds() if number in chains and self._chain(number) == chains[number].hex()]

    def load(self, rounds_done: int, size: int) -> tuple[Tensor, dict[str, Tensor]] | None:
        """Return the parameters [size] and the rule's state; None if the snapshot is damaged, or of another size."""
        with suppress(SafetensorError, OSError, KeyError), safe_open(self._path(rounds_done), framework="pt") as file:
            tensors, hashes = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
            parameters = tensors.pop("parameters")
            whole = hashes.get("parameters") == point_hash(parameters).hex()
            whole = whole and all(hashes.get(name) == point_hash(value).hex() for name, value in tensors.items())
            whole = whole and sum(name.startswith(STATE) for name in hashes) == len(tensors)
            if whole and parameters.shape == (size,) and parameters.dtype in (torch.float32, torch.bfloat16):
                return parameters, {name.removeprefix(STATE): value for name, value in tensors.items()}
        return None

    def seconds(self, rounds_done: int) -> float:
        """Return about how long loading a snapshot takes, by reading and hashing its first part."""
        path = self._path(rounds_done)
        started = time.perf_counter()
        with path.open("rb") as file:
            part = file.read(PROBE)
        hashlib.blake2b(part).digest()
        return (time.perf_counter() - started) * path.stat().st_size / max(1, len(part))

    def _chain(self, rounds_done: int) -> str | None:
        with suppress(SafetensorError, OSError), safe_open(self._path(rounds_done), framework="pt") as file:
            return (file.metadata() or {}).get("chain")
        return None

    def _path(self, rounds_done: int) -> Path:
        return self.folder / f"{rounds_done:06d}.safetensors"
