"""What the page was measured on."""

import importlib.metadata
import subprocess
from datetime import UTC, datetime

import torch

from benchmarks.gpu.part import Figures, Setting
from fedmezo.assembly.precision import base_dtype, chosen_device
from fedmezo.core.environment import environment


def plan(quick: bool) -> list[str]:
    """Return the one row."""
    return ["machine"]


def measure(name: str, setting: Setting) -> Figures:
    """Return card, driver, versions, commit and date."""
    device = chosen_device(True, 0)
    found = environment()
    found["packages"] |= {"triton": _triton()}
    return found | {
        "date": datetime.now(UTC).date().isoformat(),
        "driver": None if setting.stand_in else _driver(),
        "half": str(base_dtype(True, device)).removeprefix("torch."),
        "memory_bytes": torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None,
    }


def _triton() -> str | None:
    try:
        return importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return None


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None
