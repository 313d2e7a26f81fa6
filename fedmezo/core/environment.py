"""What a run ran on: versions, processor, GPU, threads, commit."""

import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("fedmezo", "torch", "transformers", "peft", "numpy", "datasets", "safetensors", "tokenizers")


def environment() -> dict[str, Any]:
    """Return the facts that ``environment.json`` holds."""
    return {
        "python": platform.python_version(),
        "packages": _versions(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": ", ".join(map(torch.cuda.get_device_name, range(torch.cuda.device_count()))) or None,
        "commit": _commit(),
    }


@cache
def _versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return found | {"torch": str(torch.__version__)}  # with its build, which the index's wheels leave out


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
