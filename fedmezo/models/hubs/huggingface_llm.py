"""``NAME@huggingface_llm``: a local folder, or a model of the Hugging Face hub by its id."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from fedmezo.errors import ModelUnavailableError
from fedmezo.hub import hub_reachable
from fedmezo.models.hubs import BaseModel, register
from fedmezo.models.tokenizers import PretrainedTokenizer, complete


@register("huggingface_llm")
def huggingface_llm(name: str, *, dtype: torch.dtype, cache: Path, device_map: str = "") -> BaseModel:
    """Load from the folder ``name`` if there is one, else from the hub; safetensors only, no remote code.

    Raises:
        ModelUnavailableError: no such folder, and the hub does not give it.
    """
    del cache  # the hub's client keeps its own cache
    safe: dict[str, bool] = {"trust_remote_code": False}
    if not Path(name).is_dir() and not hub_reachable():
        safe["local_files_only"] = True  # an earlier download may be in the hub client's cache
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **safe)
        model = AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, device_map=device_map or None, use_safetensors=True, **safe
        )
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnavailableError(
            f"model.type = {name}@huggingface_llm\n    there is no folder {name!r} with a model in safetensors format "
            f"(looked for as {Path(name).absolute()}), and the hub does not give it: {reason}"
        ) from error
    return BaseModel(model, PretrainedTokenizer(tokenizer, extended=complete(tokenizer, model)))
