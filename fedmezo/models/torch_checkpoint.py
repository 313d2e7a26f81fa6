"""Checkpoints of ``torch.save``, read as tensors and nothing else: no code of theirs is executed."""

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from fedmezo.core.errors import FaultyModelError

LFS_POINTER = b"version https://git-lfs"
OF_TENSORS = ("torch.", "collections.OrderedDict")  # what a pickle of tensors names


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name, memory-mapped where its format allows.

    Raises:
        FaultyModelError: it is damaged, holds something else, or wants to execute something.
    """
    try:
        _check_start(path)
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FaultyModelError:
        raise
    except Exception as error:  # a damaged file fails in any way
        raise _refused(path, _why_not_loaded(path, error)) from error
    return _tensors(path, content)


def _check_start(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(LFS_POINTER))
    if start in (b"", LFS_POINTER):
        raise _refused(path, "it is a pointer of Git LFS: git lfs pull gets the file" if start else "it is empty")


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        raise _refused(path, f"it holds a {type(content).__name__}; expected tensors by name")
    if not content:
        raise _refused(path, "it holds no tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _refused(
                path,
                f"{name!r} is a {type(value).__name__}; expected tensors by name, as torch.save writes a state_dict()",
            )
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            raise _refused(path, f"{name!r} is sparse, quantised or empty; expected plain tensors")
    return {name: value.detach() for name, value in content.items()}


def _why_not_loaded(path: Path, error: Exception) -> str:
    message = str(error)
    if not message.startswith("Weights only load failed"):
        return f"it cannot be read: {message.split('. ')[0] or type(error).__name__}"
    told = re.search(r"GLOBAL (\S+)", message)
    wanted = [told[1]] if told else [name for name in _globals(path) if not name.startswith(OF_TENSORS)]
    if not wanted:
        return "it is damaged, or no checkpoint of torch.save"
    return (
        f"it wants to execute {wanted[0]}, which tensors do not need: nothing was executed, and the file is not used\n"
        "    take the model from another source, or in safetensors format"
    )


def _globals(path: Path) -> list[str]:
    """Return what a plain pickle names of Python, as far as it can be parsed; nothing is executed."""
    names: list[str] = []
    with path.open("rb") as file, suppress(ValueError, LookupError):  # where it is no pickle any more
        names.extend(_named(file))
    return names


def _named(file: BinaryIO) -> Iterator[str]:
    texts: list[str] = []
    memo: dict[int, str] = {}
    for operation, argument, _ in pickletools.genops(file):
        match operation.name:
            case "GLOBAL" | "INST":
                yield str(argument).replace(" ", ".")
            case "STACK_GLOBAL":
                yield ".".join(texts[-2:])
            case "MEMOIZE":
                memo[len(memo)] = texts[-1] if texts else ""
            case "BINGET" | "LONG_BINGET":
                texts.append(memo.get(int(argument or 0), ""))
            case _ if isinstance(argument, str):
                texts.append(argument)


def _refused(path: Path, reason: str) -> FaultyModelError:
    return FaultyModelError(f"{path}\n    {reason}")
