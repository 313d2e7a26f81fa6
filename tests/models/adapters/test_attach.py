import dataclasses
from typing import Any

import peft
import pytest
import torch
from peft import PeftConfig

from fedmezo.config.peft_arguments import METHOD, PACKAGE, arguments_of
from fedmezo.core.errors import ConfigurationError
from fedmezo.models.adapters import attach_adapter
from fedmezo.models.adapters.methods import registry
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.zeroth_order.scoring import CopyInScorer
from tests.models.tiny import FAMILIES, ROWS, SMALL, initial, make_batch, tiny_adapter, tiny_base

# What PEFT takes and the configuration does not: set by the program, read off the model, drawing or computing other
# initial values, changing the base model, serving other frameworks, or needing a training loop of its own.
PROGRAMS = {field.name for field in dataclasses.fields(PeftConfig)} | {"task_type"}
MODELS = PROGRAMS | {"token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers"}
LEFT_OUT = {
    "lora": PROGRAMS
    | {"alora_invocation_tokens", "arrow_config", "corda_config", "eva_config", "kasa_config", "loftq_config"}
    | {"lora_ga_config", "megatron_config", "megatron_core", "monteclora_config", "qalora_group_size"}
    | {"runtime_config", "target_parameters", "use_bdlora", "use_qalora", "velora_config"},
    "prefix": MODELS,
    "prompt": MODELS | {"tokenizer_name_or_path", "tokenizer_kwargs"},
    "p-tuning": MODELS,
    "ia3": PROGRAMS,
    "ln-tuning": PROGRAMS,
    "vera": PROGRAMS | {"save_projection", "d_initial"},
}
QV = 2 * 2 * (4 * 32 + 4 * 24)  # layers, q and v (of 32 and 16 outputs), A and B of rank 4

# arguments of lora, the tensors they train, their size
LORA: list[tuple[dict[str, Any], int, int]] = [
    ({"use_rslora": True}, 8, QV),
    ({"lora_alpha": 3}, 8, QV),
    ({"freeze_a": True}, 4, 2 * 4 * (32 + 16)),
    ({"freeze_a": True, "use_dora": True}, 8, 2 * (4 + 1) * (32 + 16)),
    ({"use_dora": True}, 12, QV + 2 * (32 + 16)),
    ({"target_modules": r".*layers\.1\..*(up|down)_proj"}, 4, 2 * 4 * (32 + 64)),
    ({"target_modules": "all-linear", "exclude_modules": ["down_proj"]}, 24, 3328),
    ({"target_modules": ["embed_tokens"]}, 2, 4 * (259 + 32)),
    ({"modules_to_save": ["lm_head"]}, 9, QV + 259 * 32),
    ({"layers_to_transform": [1], "layers_pattern": "layers"}, 4, QV // 2),
    ({"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 5}}, 8, QV - 2 * 2 * 2 * 32),
    ({"trainable_token_indices": [3, 9]}, 9, QV + 2 * 32),
    ({"layer_replication": [[0, 2], [1, 2]]}, 12, QV * 3 // 2),
    ({"bias": "all", "family": "tiny-opt"}, 25, 1632),
    ({"lora_bias": True, "family": "tiny-opt"}, 12, 1024 + 2 * 2 * 32),
]


@pytest.mark.parametrize("method", registry.names())
def test_the_configuration_takes_what_peft_takes_but_for_what_is_left_out(method: str) -> None:
    configuration: Any = getattr(peft, registry[method].config.removeprefix("peft."))
    known = {field.name for field in dataclasses.fields(configuration)}
    allowed = arguments_of(method)
    ours = {PACKAGE, METHOD, *registry[method].freezes}
    assert allowed.known.keys() - ours == known - LEFT_OUT[method] and not allowed.open
    assert allowed.defaults.keys() <= allowed.known.keys()
    assert set(registry[method].alike) <= known


def test_every_registered_method_is_tested() -> None:
    assert registry.names().keys() == SMALL.keys() == LEFT_OUT.keys()


@pytest.mark.covering(1)
@pytest.mark.parametrize("method", SMALL)
@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_adapter_is_trained(method: str, family: str) -> None:
    names = {"lora": ".lora_", "ia3": ".ia3_l.", "vera": ".vera_lambda_", "ln-tuning": ".ln_tuning_layers."}
    own = names.get(method, "prompt_encoder.")
    base = sum(parameter.numel() for parameter in tiny_base(family=family).parameters())
    adapted = tiny_adapter(method, family=family)
    assert all(own in span.name for span in adapted.parameters.spans)
    assert sum(parameter.numel() for parameter in adapted.model.parameters()) == base + adapted.parameters.size


@pytest.mark.parametrize(("arguments", "tensors", "size"), LORA)
def test_arguments_of_lora_are_honoured(arguments: dict[str, Any], tensors: int, size: int) -> None:
    other, batch = tiny_adapter("lora", **arguments), make_batch(*ROWS)
    assert (len(other.parameters.spans), other.parameters.size) == (tensors, size)
    plain = tiny_adapter("lora", family=arguments.get("family", "tiny-llama"))
    assert other.scorer.loss(other.point, batch) != plain.scorer.loss(plain.point, batch)
    start = initial(other.parameters)
    base = tiny_base(family=arguments.get("family", "tiny-llama")).requires_grad_(True)
    unadapted = CopyInScorer(base, FlatParameters(base))
    if "layer_replication" not in arguments:  # which makes another model of it
        wanted = unadapted.loss(unadapted.parameters.buffer.clone(), batch)
        assert other.scorer.loss(start, batch) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("lora", {"rank": 4}, "unexpected keyword argument 'rank'"),
        ("lora", {"r": 0}, "`r` should be a positive integer value but the value passed is 0"),
        ("lora", {"target_modules": ["q_projection"]}, "q_projection"),
        ("lora", {"target_modules": "*"}, "peft refuses them: "),
        ("lora", {"target_modules": 7}, "peft refuses them: "),
        ("lora", {"bias": "some"}, "peft refuses them: "),
        ("lora", {"layers_to_transform": [7]}, "peft refuses them: "),
        ("ia3", {"target_modules": ["q_projection"], "feedforward_modules": []}, "q_projection"),
        ("ia3", {"target_modules": ["q_proj"], "feedforward_modules": ["up_proj"]}, "subset"),
        ("prompt", {"num_virtual_tokens": -1}, "peft refuses them: "),
    ],
)
def test_arguments_that_peft_refuses_are_a_configuration_error(
    method: str, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        attach_adapter(tiny_base(), {"adapter_package": "peft", "adapter_method": method, **SMALL[method], **arguments})
    assert str(caught.value).startswith("llm.adapter.args = {'adapter_package': 'peft'")
    assert words in str(caught.value)


def test_freezing_what_is_not_there_is_a_configuration_error() -> None:
    arguments = {"adapter_method": "lora", "target_modules": ["embed_tokens"], "freeze_a": True}
    with pytest.raises(ConfigurationError, match=r"freeze_a = True\n    no trained parameter has a name with"):
        attach_adapter(tiny_base(), arguments)


def test_prefixes_and_checkpointing_do_not_go_together() -> None:
    model = tiny_base()
    model.activation_checkpointing_enable()
    with pytest.raises(ConfigurationError, match="does not work with gradient checkpointing"):
        attach_adapter(model, {"adapter_method": "prefix", "num_virtual_tokens": 3})


def test_half_precision_parameters_are_refused_with_their_name() -> None:
    model = attach_adapter(tiny_base(torch.bfloat16), {"adapter_method": "lora", "modules_to_save": ["lm_head"]})
    with pytest.raises(ConfigurationError, match=r"lm_head\.modules_to_save.* is torch.bfloat16"):
        FlatParameters(model)
