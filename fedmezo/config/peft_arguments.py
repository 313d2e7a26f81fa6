"""The methods of ``llm.adapter.args``, with the arguments of each.

The arguments are those of the method's configuration in PEFT, but for what cannot be kept here (initial values that do
not come from the run's seed, changes to the base model) and for what PEFT reads off the model itself.
"""

from typing import Any

from yaml import Node

from fedmezo.config.types import (
    Arguments,
    Boolean,
    Choice,
    FieldType,
    Integer,
    ListOf,
    Nullable,
    Number,
    ScalarType,
    Text,
)
from fedmezo.core.documents.nodes import Scalar, UnfitError, items
from fedmezo.core.documents.problems import Problems
from fedmezo.core.text import nearest

PACKAGE, METHOD = "adapter_package", "adapter_method"

_SYNONYMS = {"prefix-tuning": "prefix", "prompt-tuning": "prompt", "ptuning": "p-tuning"}
_INSTEAD = {"adalora": "; adalora allots ranks by gradients: use lora, with rank_pattern for ranks of your own"}


class AdapterMethod(ScalarType):
    """The name of a method, in any case, with hyphens or underscores."""

    def describe(self) -> str:
        """Return what is allowed."""
        return f"one of {', '.join(_METHODS)}"

    def accept(self, value: Scalar) -> str:
        """Return the method."""
        if not isinstance(value, str):
            raise UnfitError
        word = value.lower().replace("_", "-")
        word = _SYNONYMS.get(word, word)
        if word not in _METHODS:
            raise UnfitError(_INSTEAD.get(word) or nearest(word, _METHODS))
        return word


class Modules(FieldType):
    """Modules of a model: a regular expression for whole names, or a list of the ends of names."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "a regular expression, or a list of names"

    def convert(self, node: Node, key: str, problems: Problems) -> Any:
        """Return the text, or the names as a tuple."""
        return (Text() if items(node) is None else ListOf(Text())).convert(node, key, problems)


class OnlyTrue(ScalarType):
    """True: the initial values come from the run's seed, and another choice of them is not offered."""

    def describe(self) -> str:
        """Return what is allowed."""
        return "True, as initial values come from the run's seed"

    def accept(self, value: Scalar) -> bool:
        """Return True."""
        if value is not True:
            raise UnfitError
        return True


_ADAPTED: dict[str, FieldType] = {
    "target_modules": Nullable(Modules()),
    "exclude_modules": Nullable(Modules()),
    "fan_in_fan_out": Boolean(),
    "modules_to_save": Nullable(ListOf(Text())),
}
_VIRTUAL: dict[str, FieldType] = {
    "num_virtual_tokens": Integer(low=1),
    "modules_to_save": Nullable(ListOf(Text())),
}
_METHODS: dict[str, dict[str, FieldType]] = {
    "lora": {
        **_ADAPTED,
        "r": Integer(low=1),
        "lora_alpha": Integer(low=1),
        "lora_dropout": Number(low=0, below=1),
        "bias": Choice(("none", "all", "lora_only")),
        "lora_bias": Boolean(),
        "use_rslora": Boolean(),
        "use_dora": Boolean(),
        "init_lora_weights": OnlyTrue(),
        "layers_to_transform": Nullable(ListOf(Integer(low=0))),
        "layers_pattern": Nullable(ListOf(Text())),
        "rank_pattern": Arguments(),
        "alpha_pattern": Arguments(),
        "trainable_token_indices": Nullable(ListOf(Integer(low=0), least=1)),
        "layer_replication": Nullable(ListOf(ListOf(Integer(low=0), least=2, most=2))),
        "ensure_weight_tying": Boolean(),
    },
    "prefix": {
        **_VIRTUAL,
        "prefix_projection": Boolean(),
        "encoder_hidden_size": Integer(low=1),
        "init_weights": Nullable(Choice(("zero",))),
    },
    "prompt": {
        **_VIRTUAL,
        "prompt_tuning_init": Choice(("RANDOM", "TEXT", "SAMPLE_VOCAB")),
        "prompt_tuning_init_text": Nullable(Text()),
    },
    "p-tuning": {
        **_VIRTUAL,
        "encoder_reparameterization_type": Choice(("MLP", "LSTM")),
        "encoder_hidden_size": Integer(low=1),
        "encoder_num_layers": Integer(low=1),
        "encoder_dropout": Number(low=0, below=1),
    },
    "ia3": {**_ADAPTED, "feedforward_modules": Nullable(Modules()), "init_ia3_weights": OnlyTrue()},
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "lora": {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0},
    "prefix": {"num_virtual_tokens": 20, "encoder_hidden_size": 128},
    "prompt": {"num_virtual_tokens": 20},
    "p-tuning": {"num_virtual_tokens": 20, "encoder_hidden_size": 128},
    "ia3": {},
}


def _arguments(method: str) -> Arguments:
    known: dict[str, FieldType] = {PACKAGE: Choice(("peft",)), METHOD: AdapterMethod()}
    defaults = {PACKAGE: "peft", METHOD: method}
    return Arguments(known | _METHODS[method], defaults | _DEFAULTS[method], open=False)


METHODS = {method: _arguments(method) for method in _METHODS}
