"""Device and dtype of a run."""

import torch

from fedmezo.core.errors import ConfigurationError


def chosen_device(use_gpu: bool, index: int) -> torch.device:
    """Return the GPU if one is wanted (an index of -1 means none) and there, else the CPU."""
    if use_gpu and index >= 0 and torch.cuda.is_available():
        if index >= torch.cuda.device_count():
            raise ConfigurationError(f"device = {index}\n    expected 0 to {torch.cuda.device_count() - 1}")
        return torch.device("cuda", index)
    return torch.device("cpu")


def base_dtype(half: bool, device: torch.device) -> torch.dtype:
    """Return the dtype of the frozen weights: float32, or the half precision that the device does well."""
    if not half:
        return torch.float32
    bf16 = device.type == "cpu" or torch.cuda.is_bf16_supported()
    return torch.bfloat16 if bf16 else torch.float16
