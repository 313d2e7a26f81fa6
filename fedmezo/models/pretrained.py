"""A causal language model and its tokenizer, complete, from a folder that others made; or why it cannot be had."""

import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from fedmezo.core.errors import FaultyModelError
from fedmezo.models.checkpoint import check_loaded, check_sizes, stored_tensors
from fedmezo.models.converted import as_safetensors
from fedmezo.models.faults import telling_faults
from fedmezo.models.sentence_pieces import load_tokenizer
from fedmezo.models.tokenizers import PretrainedTokenizer, complete

SAFE = {"trust_remote_code": False, "local_files_only": True}
ADAPTER = "adapter_config.json"


def load_pretrained(
    folder: Path, *, dtype: torch.dtype, cache: Path, device_map: str = ""
) -> tuple[PreTrainedModel, PretrainedTokenizer]:
    """Load a folder; no remote code.

    Weights in safetensors format are taken as they are; those that exist as ``pytorch_model.bin`` only are converted
    once, to the cache (see :mod:`fedmezo.models.converted`).

    Raises:
        FaultyModelError: it is an adapter, or no causal language model; a file is missing or faulty; or the
            weights are not all of those that the model has, and no others.
    """
    refuse_adapter(folder)
    with telling_faults(f"{folder}/config.json"):
        config = AutoConfig.from_pretrained(folder, **SAFE)
    check_kind(config)
    with telling_faults(f"the tokenizer in {folder}"):
        tokenizer = load_tokenizer(folder)
    with telling_faults(f"{folder}"):
        weights = as_safetensors(folder, config, cache)
        check_sizes(config, stored_tensors(weights))
        model, report = AutoModelForCausalLM.from_pretrained(
            weights,
            config=config,
            dtype=dtype,
            device_map=device_map or None,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # they are refused here, by name
            output_loading_info=True,
            **SAFE,
        )
        check_loaded(type(model).__name__, report)
    with telling_faults(f"the tokenizer in {folder}"):
        extended = complete(tokenizer, model)
        known = min(len(layer.weight) for layer in (model.get_input_embeddings(), model.get_output_embeddings()))
        return model, PretrainedTokenizer(tokenizer, extended=extended, known=known)


def refuse_adapter(folder: Path) -> None:
    """Make sure that a folder holds no adapter: transformers would load it, or its base model alone, without a word.

    Raises:
        FaultyModelError: it does; the message says how to begin from it.
    """
    path = folder / ADAPTER
    if not path.is_file():
        return
    with telling_faults(str(path)):
        base = str(json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path"))
    base = base if "@" in base else f"{base}@huggingface_llm"
    begin = f"to begin from it: model.type {base} federate.restore_from {folder}"
    if (folder / "config.json").is_file():
        raise FaultyModelError(
            f"{folder}: it holds a model and an adapter of PEFT ({ADAPTER}), and which of them is meant is not said; "
            f"take the adapter's files out for the model alone, or {begin}"
        )
    raise FaultyModelError(f"{folder}: it holds an adapter of PEFT ({ADAPTER}) and no model\n    {begin}")


def check_kind(config: PreTrainedConfig) -> None:
    """Make sure that transformers has a causal language model of a kind, before anything large is read.

    Raises:
        FaultyModelError: it has none.
    """
    if config.is_encoder_decoder or type(config) not in AutoModelForCausalLM._model_mapping:
        names = ", ".join(map(str, config.architectures or ())) or type(config).__name__
        raise FaultyModelError(
            f"config.json: {names} ({config.model_type}) is no causal language model, and only these can be tuned"
        )
