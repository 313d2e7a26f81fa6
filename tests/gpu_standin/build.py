"""Compiles the stand-in device, once for each version of its source and of torch, which need not be imported for it."""

import hashlib
import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("device.cpp")
FOLDER = Path(__file__).parents[2] / "build" / "gpu_standin"
FLAGS = ("-O1", "-std=c++20", "-fPIC", "-shared", "-w")


def obstacle() -> str:
    """Return why the device cannot be there; '' where it can."""
    if _version()["cuda"] or _version()["hip"]:
        return "this build of torch has a CUDA device of its own"
    if not sys.platform.startswith("linux"):
        return "the stand-in device is for Linux only"
    if shutil.which(_compiler()) is None:
        return f"there is no C++ compiler ({_compiler()}) for the stand-in device"
    return ""


def built() -> Path:
    """Return the library; it is compiled if it is not there. Of several processes one compiles, and the others wait."""
    import fcntl

    FOLDER.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\0".join((SOURCE.read_text(encoding="utf-8"), _version()["__version__"], *FLAGS)).encode())
    library = FOLDER / f"{key.hexdigest()[:16]}.so"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            part = library.with_suffix(f".{os.getpid()}.tmp")
            subprocess.run(_command(part), check=True)
            part.replace(library)
    return library


def _compiler() -> str:
    return os.environ.get("CXX", "g++")


@cache
def _torch() -> Path:
    found = importlib.util.find_spec("torch")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


def _version() -> dict[str, Any]:
    return runpy.run_path(str(_torch() / "version.py"))


def _command(target: Path) -> list[str]:
    root = _torch()
    found = [f"-I{root / 'include'}", f"-I{root / 'include/torch/csrc/api/include'}", str(SOURCE), "-o", str(target)]
    return [_compiler(), *FLAGS, *found, f"-L{root / 'lib'}", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{root / 'lib'}"]


if __name__ == "__main__":
    print(built())
