"""``NAME@huggingface_llm``: a local folder, or a model of the Hugging Face hub by its id."""

from pathlib import Path

import torch

from fedmezo.core.errors import ModelUnavailableError
from fedmezo.core.huggingface import HubError, model_folder
from fedmezo.models.faults import of_model
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.pretrained import load_pretrained


@register("huggingface_llm")
def huggingface_llm(name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
    """Load from the folder ``name`` if there is one, else from the hub; no remote code.

    Raises:
        ModelUnavailableError: no such folder, and the hub does not give it; or it is no model that can be tuned.
    """
    with of_model(f"{name}@huggingface_llm"):
        folder = Path(name) if Path(name).is_dir() else _of_hub(name)
        model, tokenizer = load_pretrained(folder, dtype=dtype, cache=cache, device_map=device_map)
    model.name_or_path = model.config._name_or_path = name  # where it lies in a cache says nothing to others
    return BaseModel(model, tokenizer)


def _of_hub(name: str) -> Path:
    try:
        return model_folder(name)
    except HubError as error:
        place = f"there is no folder {name!r} (looked for as {Path(name).absolute()})"
        raise ModelUnavailableError(f"{place}, and the hub does not give it: {error}") from error
