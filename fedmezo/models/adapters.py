"""Which parameters are trained: a PEFT adapter, or all of them; and what they are initially."""

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from fedmezo.errors import ConfigurationError, ResourceError
from fedmezo.models.flat import FlatParameters
from fedmezo.randomness import preserved_torch_state, stream_key
from fedmezo.zeroth_order.directions import philox


def attach_adapter(model: PreTrainedModel, arguments: Mapping[str, Any]) -> PeftModel:
    """Wrap a model with the LoRA adapter of ``llm.adapter.args``.

    Args:
        model: the base model; its own parameters are frozen.
        arguments: ``adapter_package``, ``adapter_method``, then arguments of :class:`peft.LoraConfig`.

    Raises:
        ConfigurationError: PEFT refuses the arguments for this model.
    """
    lora = {key: value for key, value in arguments.items() if key not in ("adapter_package", "adapter_method")}
    if lora.get("init_lora_weights", True) is not True:
        raise _refused(arguments, "init_lora_weights: only True, as initial values come from the run's seed")
    try:
        # PEFT draws its own initial values, which are replaced below; and it asks transformers for an attribute
        # by its old name, of which the user need not hear
        with preserved_torch_state(), warnings.catch_warnings(action="ignore", category=FutureWarning):
            adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **lora))
    except (TypeError, ValueError) as error:
        raise _refused(arguments, f"peft refuses them: {error}") from error
    if any("lora_embedding_" in name for name, _ in adapted.named_parameters()):
        raise _refused(arguments, "target_modules: embeddings are not supported")
    return adapted


def _refused(arguments: Mapping[str, Any], reason: str) -> ConfigurationError:
    return ConfigurationError(f"llm.adapter.args = {dict(arguments)}\n    {reason}")


def initial_parameters(parameters: FlatParameters, seed: int) -> Tensor:
    """Return the initial point [d]: LoRA's A uniform within 1/sqrt(fan in), its B zero, anything else as it is.

    A is what PEFT draws (Kaiming uniform with a = sqrt(5)), from the portable generator by flat index instead of
    torch's global one.
    """
    point = parameters.buffer.clone()
    key = stream_key(seed, "init")
    for span in parameters.spans:
        if ".lora_A." in span.name:
            bound = 1.0 / math.sqrt(span.shape[1])
            point[span.start : span.stop] = _uniform(key, span.start, span.stop).mul_(bound)
        elif ".lora_B." in span.name:
            point[span.start : span.stop] = 0.0
    return point


def _uniform(key: int, start: int, stop: int) -> Tensor:
    """Return values in [-1, 1) by flat index: multiples of 2**-23, so exact in fp32."""
    words = philox(key, start // 4, -(-stop // 4) - start // 4).flatten()[start % 4 :][: stop - start]
    return ((words >> 8) - (1 << 23)).float().mul_(2.0**-23)


def load_point(parameters: FlatParameters, folder: Path, model: PreTrainedModel | PeftModel) -> Tensor:
    """Return the point [d] saved in an adapter folder (PEFT format); the model ends at it.

    Raises:
        ResourceError: the folder holds no adapter, or one of another kind or shape.
    """
    if not isinstance(model, PeftModel):
        raise _no_adapter(folder, "only an adapter can be restored; set llm.adapter.use")
    try:
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "adapter_model.safetensors")
        differing = _differing(settings, model.peft_config["default"].to_dict())
        if differing:
            raise _no_adapter(folder, f"it was made with another {', '.join(differing)} than llm.adapter.args says")
        if weights.keys() != get_peft_model_state_dict(model, save_embedding_layers=False).keys():
            raise _no_adapter(folder, "it has other tensors than the adapter of llm.adapter.args")
        set_peft_model_state_dict(model, weights)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _no_adapter(folder, f"no adapter that fits this model: {error}") from error
    return parameters.buffer.clone()


def _differing(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the settings that change what an adapter's weights mean, where they are not the same."""
    return [key for key in ("peft_type", "r", "lora_alpha", "use_rslora", "use_dora") if saved.get(key) != wanted[key]]


def _no_adapter(folder: Path, reason: str) -> ResourceError:
    return ResourceError(f"federate.restore_from = {folder}\n    {reason}")


def save_trained(model: PreTrainedModel | PeftModel, folder: Path) -> None:
    """Write the trainable parameters as the model holds them now: PEFT format, or a whole model in safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, PeftModel):
        # False: without it PEFT looks for the base model on a hub, to see whether its vocabulary has grown
        model.save_pretrained(str(folder), save_embedding_layers=False)
        return
    # tensors of the flat buffer share one storage, which safetensors refuses; tied ones are left to transformers
    copies: dict[int, Tensor] = {}
    state = {name: copies.setdefault(tensor.data_ptr(), tensor.clone()) for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state)
