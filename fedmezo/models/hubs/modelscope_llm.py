"""``NAME@modelscope_llm``: a model of the ModelScope hub by its id."""

from pathlib import Path

import torch

from fedmezo.core.errors import ModelUnavailableError
from fedmezo.core.network import check_connection
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.hubs.huggingface_llm import huggingface_llm

FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]  # what loading reads
PICKLED = ["pytorch_model*.bin"]  # and where there are no weights in safetensors format


@register("modelscope_llm")
def modelscope_llm(name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
    """Download with ModelScope's client, which keeps its own cache, then load the folder.

    Raises:
        ModelUnavailableError: the client is not installed, or the hub does not give the model.
    """
    try:
        from modelscope import snapshot_download
    except ImportError as error:
        raise _unavailable(name, "modelscope is not installed: pip install -e .[modelscope]") from error
    check_connection()
    try:
        folder = snapshot_download(name, allow_patterns=FILES)
        if not any(Path(folder).glob("*.safetensors")):
            snapshot_download(name, allow_patterns=PICKLED)
    except Exception as error:  # the client's errors have no root of their own
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise _unavailable(name, f"the hub does not give it: {reason}") from error
    return huggingface_llm(folder, dtype=dtype, cache=cache, device_map=device_map)


def _unavailable(name: str, reason: str) -> ModelUnavailableError:
    return ModelUnavailableError(f"model.type = {name}@modelscope_llm\n    {reason}")
