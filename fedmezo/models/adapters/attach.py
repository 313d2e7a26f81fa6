"""Attaching an adapter of PEFT to a model."""

import importlib
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.core.randomness import preserved_torch_state, stream_key
from fedmezo.core.text import listing
from fedmezo.models.adapters.initial import freeze
from fedmezo.models.adapters.methods import Method, registry

UNTARGETED = "specify `target_modules`"  # of what PEFT says
# not for PEFT: the first two choose, the others are for :func:`fedmezo.models.adapters.prompt_init.prompt_embeddings`
_OWN = ("adapter_package", "adapter_method", "prompt_tuning_init", "prompt_tuning_init_text")


def attach_adapter(model: PreTrainedModel, arguments: Mapping[str, Any], seed: int = 0) -> PeftModel:
    """Wrap a model with the adapter of ``llm.adapter.args``.

    Args:
        model: the base model; its own parameters are frozen.
        arguments: ``adapter_package``, ``adapter_method``, then arguments of the method's configuration in PEFT.
        seed: of the run.

    Raises:
        ConfigurationError: PEFT refuses the arguments for this model, or would not load what is trained with them; or
            the method's row names no class of PEFT's, or an argument would freeze what is not there.
    """
    method = registry[arguments["adapter_method"]]
    make = _configuration(method)
    ours = {*_OWN, *method.freezes}
    own = {**method.defaults, **{key: value for key, value in arguments.items() if key not in ours}}
    try:
        # PEFT draws its own initial values; those that the method's row knows of are replaced later
        with preserved_torch_state(stream_key(seed, "init")), warnings.catch_warnings():
            # of what PEFT mends by itself, and of a name that it uses of transformers, the user need not hear
            warnings.filterwarnings("ignore", message="fan_in_fan_out")
            warnings.filterwarnings("ignore", message="Unsupported layer type")
            warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")
            warnings.simplefilter("ignore", FutureWarning)
            adapted = get_peft_model(model, make(task_type="CAUSAL_LM", **own))
        _check_kept(adapted)
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, re.error) as error:
        reason = _untargeted(model) if UNTARGETED in str(error) else str(error).strip() or type(error).__name__
        raise ConfigurationError(f"llm.adapter.args = {dict(arguments)}\n    peft refuses them: {reason}") from error
    for argument, names in method.freezes.items():
        if arguments.get(argument) and not freeze(adapted, names, method, seed):
            raise ConfigurationError(
                f"llm.adapter.args[0].{argument} = True\n    no trained parameter has a name with {names}: "
                "leave it out, or name linear layers in target_modules"
            )
    return adapted


def _untargeted(model: PreTrainedModel) -> str:
    """Return what to do about a kind of model for which PEFT does not know which layers to adapt."""
    inner = model.base_model.named_modules()
    layers = dict.fromkeys(name.rpartition(".")[2] for name, module in inner if isinstance(module, nn.Linear))
    return (
        f"it does not know which layers of {model.config.model_type} to adapt: "
        f"name some in target_modules, of {listing(layers)}"
    )


def _configuration(method: type[Method]) -> Callable[..., PeftConfig]:
    module, _, name = method.config.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{defined_at(method)}\n    config = {method.config}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, PeftConfig)):
        raise ConfigurationError(f"{defined_at(method)}\n    config = {method.config} is no configuration of PEFT")
    return found


def _check_kept(model: PeftModel) -> None:
    """Make sure that PEFT can make the same model of the adapter, once it is saved.

    Raises:
        ValueError: it cannot.
    """
    arguments, config = model.peft_config["default"], model.get_base_model().config.get_text_config()
    if getattr(arguments, "target_modules_to_tie", None):
        raise ValueError(
            "ensure_weight_tying with target_modules has one adapter for embeddings and head, but it is saved as two, "
            "which are trained apart; leave ensure_weight_tying out, so that there are two, or name the embeddings "
            "in modules_to_save instead of target_modules"
        )
    kinds = getattr(config, "layer_types", None)
    if getattr(arguments, "layer_replication", None) and kinds and len(kinds) != config.num_hidden_layers:
        raise ValueError(
            f"layer_replication makes {config.num_hidden_layers} layers, but models of this kind list the type of each "
            f"layer in layer_types, and it stays at {len(kinds)}; replicate to {len(kinds)} layers, or leave it out"
        )
