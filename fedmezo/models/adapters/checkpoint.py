"""Trained parameters in a folder, in the formats of PEFT and transformers, and back."""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from fedmezo.core.errors import ResourceError
from fedmezo.core.randomness import preserved_torch_state
from fedmezo.models.checkpoint import weight_files
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.tokenizers import ModelTokenizer

# PEFT keeps of a prompt encoder what it computes, not its parameters: those are kept beside it
TRAINABLE = "trainable.safetensors"
_WORDS = {torch.float32: torch.int32, torch.bfloat16: torch.int16}  # what numpy can hold instead


def save_trained(model: PreTrainedModel | PeftModel, folder: Path, tokenizer: ModelTokenizer) -> None:
    """Write the trainable parameters as the model holds them now.

    An adapter is written in PEFT's format, to be loaded onto its base model by ``PeftModel.from_pretrained``. Where the
    tokenizer had to be extended (:func:`fedmezo.models.tokenizers.complete`) tokenizer and embeddings go with it, and
    the base model is resized before: ``base.resize_token_embeddings(len(AutoTokenizer.from_pretrained(folder)))``.
    A model trained as a whole is written with its tokenizer in transformers' format.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, PeftModel):
        # not "auto": PEFT would look for the base model on a hub, to see whether its vocabulary has grown
        with _without_card(model):
            model.save_pretrained(str(folder), save_embedding_layers=tokenizer.extended)
        trainable = {name: tensor.detach() for name, tensor in model.named_parameters() if tensor.requires_grad}
        if len(trainable) > len(get_peft_model_state_dict(model, save_embedding_layers=False)):
            save_file({name: tensor.clone() for name, tensor in trainable.items()}, folder / TRAINABLE)
        if tokenizer.extended:
            tokenizer.save(folder)
        return
    # tensors of the flat buffer share one storage, which safetensors refuses; tied ones are left to transformers
    apart: dict[int, Tensor] = {}
    state = {name: apart.setdefault(tensor.data_ptr(), _apart(tensor)) for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state)
    tokenizer.save(folder)


@contextmanager
def _without_card(model: PeftModel) -> Iterator[None]:
    """Keep PEFT from writing a README.md, which is a form with nothing filled in, and takes longest of all."""
    model.create_or_update_model_card = lambda folder: None
    try:
        yield
    finally:
        del model.create_or_update_model_card


def _apart(tensor: Tensor) -> Tensor:
    """Return a tensor with a storage of its own: over the same memory where that can be, else a copy."""
    if tensor.device.type == "cpu" and tensor.dtype in _WORDS and tensor.is_contiguous():
        return torch.from_numpy(tensor.detach().view(_WORDS[tensor.dtype]).numpy()).view(tensor.dtype)
    return tensor.clone()


def read_adapter(folder: Path, base: PreTrainedModel, tokenizer: ModelTokenizer) -> PeftModel:
    """Return a base model with the adapter of a folder, as PEFT loads it.

    Args:
        folder: written by :func:`save_trained`.
        base: as it was loaded; its modules are changed, but no tensor that others may share.
        tokenizer: of the model; where it was extended, the embeddings come from the folder alone.
    """
    if tokenizer.extended:
        for layer in {base.get_input_embeddings(), base.get_output_embeddings()}:
            _forget(base, layer)
    device = base.get_input_embeddings().weight.device
    with preserved_torch_state(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of this loading nobody needs to hear but what comes out of it
        return PeftModel.from_pretrained(base, str(folder), torch_device=str(device)).eval()


def _forget(base: PreTrainedModel, layer: nn.Module) -> None:
    """Give a layer parameters of its own without values, and to all modules that share them."""
    for parameter in list(layer.parameters(recurse=False)):
        unknown = nn.Parameter(torch.full_like(parameter, torch.nan), requires_grad=False)
        for module in base.modules():
            for name, shared in list(module.named_parameters(recurse=False)):
                if shared is parameter:
                    setattr(module, name, unknown)


def read_model(folder: Path) -> PreTrainedModel:
    """Return the model of a folder, as transformers loads it on the CPU, where its weights are mapped from the file."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    return model.eval()


def stored_hash(parameters: FlatParameters, folder: Path) -> bytes:
    """Return the hash of the point that a folder of a model trained as a whole holds: its ``point_hash``."""
    files: dict[str, Path] = {}
    for path in weight_files(folder):
        with safe_open(path, "pt") as file:
            files |= dict.fromkeys(file.keys(), path)
    digest = hashlib.blake2b(digest_size=16)
    for path, spans in groupby(parameters.spans, lambda span: files[span.name]):
        with safe_open(path, "pt") as file:
            for span in spans:
                digest.update(file.get_tensor(span.name).view(torch.uint8).numpy().data)
    return digest.digest()


def load_point(
    parameters: FlatParameters, folder: Path, model: PreTrainedModel | PeftModel, alike: Sequence[str] = ()
) -> Tensor:
    """Return the point [d] saved in an adapter folder by :func:`save_trained` or by PEFT; the model ends at it.

    Raises:
        ResourceError: the folder holds no adapter, or one of another kind or shape.
    """
    if not isinstance(model, PeftModel):
        raise _no_adapter(folder, f"only an adapter can be restored; for a model: model.type {folder}@huggingface_llm")
    try:
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        differing = _differing(settings, model.peft_config["default"].to_dict(), alike)
        if differing:
            raise _no_adapter(folder, f"it was made with another {', '.join(differing)} than llm.adapter.args says")
        _restore(parameters, folder, model)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise _no_adapter(folder, f"no adapter that fits this model: {error}") from error
    return parameters.gather().clone()


def _restore(parameters: FlatParameters, folder: Path, model: PeftModel) -> None:
    if (folder / TRAINABLE).is_file():
        parameters.write(parameters.flatten(_numbers(folder / TRAINABLE)))
        return
    weights = _numbers(folder / "adapter_model.safetensors")
    forms = [get_peft_model_state_dict(model, save_embedding_layers=resized).keys() for resized in (False, True)]
    if weights.keys() not in forms:
        raise ValueError("it has other tensors than the adapter of llm.adapter.args")
    if len(forms[0]) < len(parameters.spans):
        raise ValueError(f"without {TRAINABLE} there is what its prompt encoder computes, but not the encoder")
    resized = weights.keys() != forms[0]
    here = get_peft_model_state_dict(model, save_embedding_layers=resized)
    trained = {tensor.data_ptr() for tensor in model.parameters() if tensor.requires_grad}
    frozen = [name for name, tensor in here.items() if "lora_" in name and tensor.data_ptr() not in trained]
    if any(not torch.equal(here[name].cpu(), weights[name]) for name in frozen):
        raise ValueError("what freeze_a leaves as it was drawn is other than here: take the seed of its run")
    set_peft_model_state_dict(model, weights)


def _numbers(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file.

    Raises:
        ValueError: one holds something else than finite floating-point numbers.
    """
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
            raise ValueError(f"{path.name}: {name} holds other values than finite floating-point numbers")
    return tensors


def _differing(saved: Mapping[str, Any], wanted: Mapping[str, Any], alike: Sequence[str]) -> list[str]:
    """Return the settings that are not alike: the method alone, where that is another."""
    if saved.get("peft_type") != wanted["peft_type"]:
        return ["adapter_method"]
    return [key for key in alike if (saved.get(key) or None) != (wanted.get(key) or None)]


def _no_adapter(folder: Path, reason: str) -> ResourceError:
    inside = folder / "adapter"
    nearest = f"; {inside} holds one" if (inside / "adapter_config.json").is_file() else ""
    return ResourceError(f"federate.restore_from = {folder}\n    {reason}{nearest}")
