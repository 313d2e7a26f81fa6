"""Keys that are set and have no effect with the others: worth a line, but no mistake."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yacs.config import CfgNode

from fedmezo.config.names import is_task, registered
from fedmezo.config.schema import DEFAULTS
from fedmezo.config.tree import leaves

Values = Mapping[str, Any]
ARGUMENTS = "llm.adapter.args"


@dataclass(frozen=True)
class Unused:
    """Keys (or groups, ending in a dot), when they have no effect, and why."""

    keys: tuple[str, ...]
    when: Callable[[Values], bool]
    reason: str


def _is(key: str, *wanted: Any) -> Callable[[Values], bool]:
    return lambda values: values.get(key) in wanted


def _is_not(key: str, *wanted: Any) -> Callable[[Values], bool]:
    return lambda values: values.get(key) not in wanted


def _of_answers(values: Values) -> bool:
    return values["criterion.type"] in registered("text_metrics", values["extensions"])


_KIND = "encoder_reparameterization_type"
_DROPOUTS = {f"{name}_dropout": 0.0 for name in ("lora", "vera", "encoder", "rank", "module")}
_BACKPROPAGATION = _is("trainer.type", "llmtrainer")
_ZEROTH_ORDER = _is("trainer.type", "mezotrainer")
KEYS = (
    Unused(
        ("zo.", "dataloader.micro_batch_size", "train.compile", "engine.lanes"),
        _BACKPROPAGATION,
        "trainer.type = llmtrainer has gradients",
    ),
    Unused(("criterion.max_new_tokens",), lambda values: not _of_answers(values), "only metrics of texts have answers"),
    Unused(
        ("train.compile", "train.cache_frozen_layers"),
        lambda values: _of_answers(values),
        "answers are written by the model as it is",
    ),
    Unused(
        ("eval.generate.metrics", "eval.generate.max_new_tokens"),
        _is("eval.generate.max_examples", 0),
        "eval.generate.max_examples = 0",
    ),
    Unused(("train.precision",), _is("train.is_enable_half", False), "train.is_enable_half = False is full precision"),
    Unused(("train.lr_half_width",), _is("train.train_strategy", "frozen"), "frozen has one rate"),
    Unused(
        ("data.num_examples", "data.worked", "data.steps"),
        lambda values: values["data.type"] != "arithmetic@llm" and not values["extensions"],
        "only arithmetic@llm is generated",
    ),
    Unused(("data.prompt",), lambda values: is_task(values["data.type"]), "a task has a template of its own"),
    Unused(("data.polarity",), _is_not("data.type", "sentiment@llm"), "only sentiment@llm has ratings"),
    Unused(("data.split_by",), _is("data.splitter", "iid"), "iid divides by nothing"),
    Unused(("federate.weight_by",), _is("federate.ignore_weight", True), "federate.ignore_weight gives all the same"),
    Unused(("federate.min_results",), _is("federate.on_failure", "fail"), "federate.on_failure = fail needs all"),
    Unused(
        ("engine.workers", "engine.cpus", "engine.gpus", "engine.address"),
        _is_not("engine.type", "flower_simulation"),
        "only engine.type = flower_simulation reads it",
    ),
    Unused(
        ("engine.superlink", "engine.root_certificates", "engine.secret", "engine.keys"),
        _is_not("engine.type", "flower"),
        "only engine.type = flower reads it",
    ),
    Unused(("llm.adapter.args",), _is("llm.adapter.use", False), "llm.adapter.use = False trains all parameters"),
    Unused(("device",), _is("use_gpu", False), "use_gpu = False takes the CPU"),
    Unused(
        ("wandb.",),
        lambda values: not values["wandb.use"] and "wandb" not in values["callbacks"],
        "wandb.use = False",
    ),
)
# of the mapping in llm.adapter.args; the values are its own, and the configuration's
METHODS = (
    Unused(tuple(_DROPOUTS), _ZEROTH_ORDER, "losses of mezotrainer are computed without dropout"),
    Unused(
        ("encoder_num_layers", "encoder_dropout"),
        lambda values: values["adapter_method"] == "p-tuning" and not _is(_KIND, "LSTM")(values),
        "only encoder_reparameterization_type = LSTM reads it",
    ),
    Unused(
        ("encoder_hidden_size",),
        lambda values: values["adapter_method"] == "prefix" and not values.get("prefix_projection"),
        "only prefix_projection = True reads it",
    ),
    Unused(("prompt_tuning_init_text",), _is_not("prompt_tuning_init", "TEXT"), "only prompt_tuning_init = TEXT does"),
)
_ARGUMENTS = {**_DROPOUTS, "encoder_num_layers": 2, "encoder_hidden_size": 128}


def unused(cfg: CfgNode) -> list[str]:
    """Return a line for every key that is not as it is by default and has no effect."""
    values = leaves(cfg)
    found = list(_lines(KEYS, values, DEFAULTS, ""))
    if cfg.llm.adapter.use:
        own = dict(cfg.llm.adapter.args[0])
        found += _lines(METHODS, values | own, _ARGUMENTS, f"{ARGUMENTS}[0].", own)
    return found


def _lines(
    rules: tuple[Unused, ...], values: Values, defaults: Values, above: str, own: Values | None = None
) -> Iterator[str]:
    told = set()
    for rule in rules:
        for name in values if own is None else own:
            named = name in rule.keys or name.startswith(tuple(key for key in rule.keys if key.endswith(".")))
            if named and name not in told and values[name] != defaults.get(name) and rule.when(values):
                told.add(name)
                yield f"warning: {above}{name} = {values[name]} has no effect: {rule.reason}"
