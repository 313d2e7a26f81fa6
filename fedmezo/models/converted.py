"""Models that exist only as ``pytorch_model.bin``: read once, and kept as safetensors in the cache.

Every file appears under its name when it is complete, with its SHA-256 beside it: a conversion that broke off goes on
with what is missing, and a damaged file is made anew.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedConfig

from fedmezo.core.cache import locked, sha256_of
from fedmezo.core.errors import FaultyModelError
from fedmezo.core.log import LOG
from fedmezo.core.randomness import preserved_torch_state
from fedmezo.models.torch_checkpoint import read_tensors

SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
BESIDE = (".json", ".model", ".txt", ".jinja")  # what is read beside the weights: configuration and tokenizer


@dataclass(frozen=True)
class Checkpoint:
    """Files of ``torch.save`` in a folder.

    Attributes:
        files: of it, by the name of what each becomes.
        places: the file that each tensor is to be taken from, by the tensor's name; empty where there is one file.
    """

    files: Mapping[str, Path]
    places: Mapping[str, str]

    def hash(self) -> str:
        """Return a hash of where the files are, and of their sizes and times."""
        about = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in self.files.values()]
        return blake2b(repr((about, sorted(self.places.items()))).encode(), digest_size=8).hexdigest()


def as_safetensors(folder: Path, config: PreTrainedConfig, cache: Path) -> Path:
    """Return a folder that has the weights in safetensors format: this one, or one of the cache that is made once.

    Raises:
        FaultyModelError: a file is missing, damaged, or holds something else than tensors; or the cache cannot
            be written.
    """
    if any((folder / name).is_file() for name in (SAFE, SAFE_INDEX)):
        return folder
    checkpoint = _found(folder)
    if checkpoint is None:
        return folder
    target = cache / "models" / f"{folder.name}-{checkpoint.hash()}"
    with _written(target):
        if _is_complete(target, checkpoint, folder):
            return target
    tied = _tied(config)
    with _written(target):
        target.mkdir(parents=True, exist_ok=True)
        with locked(target / "lock"):
            _convert(checkpoint, folder, target, tied)
    return target


def _found(folder: Path) -> Checkpoint | None:
    if (folder / PICKLED).is_file():
        return Checkpoint({SAFE: folder / PICKLED}, {})
    index = folder / PICKLED_INDEX
    if not index.is_file():
        return None
    places = _places(index)
    names = sorted(set(places.values()))
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise FaultyModelError(f"{index}\n    it names {name}, which is not there")
    shards = {f"model-{i:05}-of-{len(names):05}.safetensors": folder / name for i, name in enumerate(names, start=1)}
    return Checkpoint(shards, places)


def _places(index: Path) -> dict[str, str]:
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        found = {str(name): str(file) for name, file in places.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FaultyModelError(f"{index}\n    it is no index: expected weight_map, of tensors to files") from error
    if not found:
        raise FaultyModelError(f"{index}\n    it names no tensors")
    return found


def _is_complete(target: Path, checkpoint: Checkpoint, folder: Path) -> bool:
    others = [path.name for path in _beside(folder)] + ([SAFE_INDEX] if checkpoint.places else [])
    return all((target / name).exists() for name in others) and all(
        _is_sound(target / name) for name in checkpoint.files
    )


def _beside(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix in BESIDE and path.name != PICKLED_INDEX)


def _is_sound(path: Path) -> bool:
    record = _record(path)
    return path.is_file() and record.is_file() and record.read_text(encoding="utf-8").split()[:1] == [sha256_of(path)]


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _convert(checkpoint: Checkpoint, folder: Path, target: Path, tied: frozenset[str]) -> None:
    """Make what is missing of a target, a file at a time."""
    for path in _beside(folder):
        if not (target / path.name).is_symlink():
            (target / path.name).symlink_to(path.absolute())
    missing = {name: path for name, path in checkpoint.files.items() if not _is_sound(target / name)}
    if missing:
        LOG.info(f"Converting {folder} to safetensors (once; kept in {target}) ...")
    for name, path in missing.items():
        tensors = read_tensors(path)
        own = {key: tensor for key, tensor in tensors.items() if checkpoint.places.get(key, path.name) == path.name}
        _save(target / name, _each_once(own, tied))
    if checkpoint.places:
        _write_index(target, checkpoint.files)


def _each_once(tensors: Mapping[str, Tensor], tied: frozenset[str]) -> dict[str, Tensor]:
    """Return contiguous tensors that share no memory; of those that the model ties, one."""
    alike: dict[object, list[str]] = {}
    for name, tensor in tensors.items():
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()) if tensor.numel() else name
        alike.setdefault(place, []).append(name)
    names = [name for group in alike.values() for name in ([n for n in group if n not in tied] or group[:1])]
    seen: set[int] = set()
    kept = {}
    for name in names:
        tensor, memory = tensors[name], tensors[name].untyped_storage().data_ptr()
        kept[name] = tensor.clone(memory_format=torch.contiguous_format) if memory in seen else tensor.contiguous()
        seen.add(memory)
    return kept


def _tied(config: PreTrainedConfig) -> frozenset[str]:
    """Return the parameters that a model takes from others by its design."""
    with preserved_torch_state(), torch.device("meta"):
        return frozenset(AutoModelForCausalLM.from_config(config, trust_remote_code=False).all_tied_weights_keys)


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        save_file(tensors, part, metadata={"format": "pt"})
        _record(path).write_text(f"{sha256_of(part)}  {path.name}\n", encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_index(target: Path, names: Iterable[str]) -> None:
    places: dict[str, str] = {}
    size = 0
    for name in names:
        size += (target / name).stat().st_size
        with safe_open(target / name, "pt") as shard:
            places |= dict.fromkeys(shard.keys(), name)
    part = target / f"{SAFE_INDEX}.part"
    part.write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": places}), encoding="utf-8")
    part.replace(target / SAFE_INDEX)


@contextmanager
def _written(target: Path) -> Iterator[None]:
    """Tell what cannot be written with the place, and what to do."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise FaultyModelError(
            f"{target}\n    the model cannot be kept there in safetensors format: {reason}\n"
            "    it needs as much space as its files have: llm.cache.model or FEDMEZO_CACHE name another folder"
        ) from error
