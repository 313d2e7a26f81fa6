"""``NAME@huggingface_llm``: a local folder, or a model of the Hugging Face hub by its id."""

from pathlib import Path

import torch
from huggingface_hub import snapshot_download

from fedmezo.hub import hub_reachable
from fedmezo.models.faults import of_model, telling_faults
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.pretrained import load_pretrained

FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]  # what loading reads; no pickles


@register("huggingface_llm")
def huggingface_llm(name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
    """Load from the folder ``name`` if there is one, else from the hub; safetensors only, no remote code.

    Raises:
        ModelUnavailableError: no such folder, and the hub does not give it; or it is no model that can be tuned.
    """
    del cache  # the hub's client keeps its own cache
    with of_model(f"{name}@huggingface_llm"):
        folder = Path(name) if Path(name).is_dir() else _of_hub(name)
        model, tokenizer = load_pretrained(folder, dtype=dtype, device_map=device_map)
    model.name_or_path = model.config._name_or_path = name  # where it lies in a cache says nothing to others
    return BaseModel(model, tokenizer)


def _of_hub(name: str) -> Path:
    place = Path(name).absolute()
    with telling_faults(f"there is no folder {name!r} (looked for as {place}), and the hub does not give it"):
        offline = not hub_reachable()  # an earlier download may be in the hub client's cache
        return Path(snapshot_download(name, allow_patterns=FILES, local_files_only=offline))
