"""What a file and overrides become."""

from typing import Any

import pytest

from fedmezo.config import dump

from .conftest import Load, Mistakes

PEFT_LORA = {"adapter_package": "peft", "adapter_method": "lora", "lora_alpha": 32, "lora_dropout": 0.05}


def test_an_empty_file_is_the_defaults(load_text: Load) -> None:
    cfg = load_text("# nothing\n")
    assert cfg.federate.client_num == 3
    assert cfg.data.splits == (0.8, 0.1, 0.1)
    assert cfg.zo.seed is None
    assert cfg.llm.adapter.args[0]["r"] == 8
    assert "_base_" not in cfg


def test_the_tree_is_frozen(load_text: Load) -> None:
    cfg = load_text()
    with pytest.raises(AttributeError, match="immutable"):
        cfg.train.optimizer.lr = 1.0


def test_a_group_whose_keys_are_commented_out_keeps_its_defaults(load_text: Load) -> None:
    assert load_text("wandb:\n  # use: True\nseed: 4\n") == load_text("", "seed", "4")


def test_the_command_line_wins_and_its_last_value_counts(load_text: Load) -> None:
    cfg = load_text("seed: 1\ndevice: 1", "seed", "2", "seed", "3")
    assert (cfg.seed, cfg.device) == (3, 1)


def test_an_override_may_set_a_group(load_text: Load) -> None:
    cfg = load_text("train: {optimizer: {weight_decay: 0.5}}", "train.optimizer", "{lr: 1e-2}")
    assert (cfg.train.optimizer.lr, cfg.train.optimizer.weight_decay) == (0.01, 0.5)


CONVERSIONS: list[tuple[str, str, Any]] = [
    ("train.optimizer.lr", "1", 1.0),
    ("train.optimizer.lr", "1e-2", 0.01),
    ("train.optimizer.lr", "'1e-2'", 0.01),
    ("train.lr_half_width", ".5E-5", 5e-6),
    ("federate.client_num", "'12'", 12),
    ("grad.grad_clip", "-1", -1.0),
    ("federate.sample_client_rate", "-1", -1.0),
    ("data.splits", "[0.9,0.05,0.05]", (0.9, 0.05, 0.05)),
    ("data.splits", "[0.5, 0.5, 0]", (0.5, 0.5, 0.0)),
    ("data.splits", "[0.9, 5e-2, '5e-2']", (0.9, 0.05, 0.05)),
    ("data.splits", "(0.9, 0.05, 5e-2)", (0.9, 0.05, 0.05)),
    ("eval.split", "val", ("val",)),
    ("eval.split", "('val',)", ("val",)),
    ("eval.split", "(test, val)", ("test", "val")),
    ("eval.metrics", "loss", ("loss",)),
    ("data.splitter_args", "()", ()),
    ("llm.adapter.args", "{r: 4, lora_alpha: 32, lora_dropout: 5e-2}", ({"r": 4, **PEFT_LORA},)),
    ("data.splitter", "''", "iid"),
    ("data.splitter", "", "iid"),
    ("data.type", "gsm8k@llm", "gsm8k@llm"),
    ("data.type", "my/own.jsonl", "my/own.jsonl"),
    ("model.type", "someone/model@huggingface_llm", "someone/model@huggingface_llm"),
    ("federate.method", "FedAvg", "fedavg"),
    ("criterion.type", "CrossEntropyLoss", "cross_entropy"),
    ("federate.save_freq", "-1", 0),
    ("federate.sample_client_num", "-1", 0),
    ("expname", "2024-01-01", "2024-01-01"),
    ("expname", "1e5", "1e5"),
    ("expname", "'3'", "3"),
    ("zo.seed", "null", None),
    ("zo.seed", str(2**63 - 1), 2**63 - 1),
    ("use_gpu", "no", False),
]


@pytest.mark.parametrize(("key", "text", "expected"), CONVERSIONS)
def test_a_value_is_converted(load_text: Load, key: str, text: str, expected: Any) -> None:
    best = "test_loss" if key == "eval.split" and "test" in text else "val_loss"
    node = load_text("", key, text, "eval.best_res_update_round_wise_key", best)
    for part in key.split("."):
        node = node[part]
    assert node == expected
    assert type(node) is type(expected)


REFUSED = [
    ("federate.client_num", "True", "an integer >= 1"),
    ("federate.client_num", "2.5", "an integer >= 1"),
    ("federate.client_num", "1e3", "an integer >= 1"),
    ("federate.client_num", "null", "an integer >= 1"),
    ("federate.client_num", "0", "an integer >= 1"),
    ("federate.client_num", "[3]", "an integer >= 1"),
    ("federate.client_num", "{a: 3}", "an integer >= 1"),
    ("seed", str(2**63), f"an integer >= 0 and < {2**63}"),
    ("seed", "-1", "an integer >= 0"),
    ("zo.seed", "x", "or null"),
    ("train.optimizer.lr", "no", "a number > 0"),
    ("train.optimizer.lr", ".nan", "a number > 0"),
    ("train.optimizer.lr", "nan", "a number > 0"),
    ("train.optimizer.lr", ".inf", "a number > 0"),
    ("train.optimizer.lr", "1e999", "a number > 0"),
    ("train.optimizer.lr", "9" * 400, "a number > 0"),
    ("train.optimizer.lr", "9" * 5000, "a number > 0"),
    ("train.optimizer.lr", "0", "a number > 0"),
    ("train.optimizer.lr", "!!float x", "a number > 0"),
    ("train.optimizer.lr", "!!int ''", "a number > 0"),
    ("use_gpu", "!!bool x", "True or False"),
    ("use_gpu", "1", "True or False"),
    ("use_gpu", "null", "True or False"),
    ("grad.grad_clip", "0", "a number > 0, or -1"),
    ("federate.sample_client_rate", "1.5", "a number > 0 and <= 1, or -1"),
    ("data.splits", "[1, 0]", "a list of 3"),
    ("data.splits", "0.5", "a list of 3"),
    ("data.splits", "!!set {a, b, c}", "a list of 3"),
    ("data.splits", "[0.5, true, .nan]", "a number >= 0 and <= 1"),
    ("eval.split", "[]", "a list of at least 1"),
    ("eval.split", "train", "one of val, test"),
    ("data.type", "gsm8k", "the nearest is gsm8k@llm"),
    ("data.splitter", "idd", "the nearest is iid"),
    ("data.splitter_args", "[{alpha: 1}, {alpha: 2}]", "a list of at most 1"),
    ("data.splitter_args", "0.5", "a mapping of arguments"),
    ("model.type", "SmolLM2", "NAME@HUB with HUB one of huggingface_llm, package_llm, random_llm"),
    ("model.type", "'@package_llm'", "NAME@HUB"),
    ("model.type", "SmolLM2@hugingface_llm", "the nearest is huggingface_llm"),
    ("train.optimizer.type", "Adm", "the nearest is Adam"),
    ("trainer.type", "mezo_trainer", "the nearest is mezotrainer"),
    ("train.train_strategy", "roundwise", "the nearest is round-wise"),
    ("train.optimizer.betas", "[.nan, 1]", "a number, True, False"),
    ("train.optimizer", "{'two words': 1}", "no such key"),
    ("train.optimizer.a.b", "1", "no such key"),
    ("train.optimizer", "SGD", "a mapping of keys"),
    ("llm.adapter.args", "[]", "a list of 1"),
    (
        "llm.adapter.args",
        "[{adapter_method: lorra}]",
        "adapter_method = lorra: expected one of ia3, ln-tuning, lora, p-tuning, prefix, prompt, vera; the nearest",
    ),
    ("llm.adapter.args", "[{adapter_method: adalora}]", "use lora, with rank_pattern"),
    (
        "llm.adapter.args",
        "[{adapter_method: prefix, r: 4}]",
        "llm.adapter.args[0].r = 4\n      no such argument; there",
    ),
    ("llm.adapter.args", "[{adapter_method: prompt, num_virtual_token: 4}]", "the nearest is num_virtual_tokens"),
    ("llm.adapter.args", "[{adapter_method: p_tuning, num_virtual_tokens: 0}]", "expected an integer >= 1"),
    ("llm.adapter.args", "[{target_modules: 7}]", "expected a regular expression, or a list of names, or null"),
    ("llm.adapter.args", "[{rank_pattern: 7}]", "expected a mapping"),
    ("llm.adapter.args", "[{layers_to_transform: [-1]}]", "a list, each an integer >= 0"),
    ("llm.adapter.args", "[{init_lora_weights: pissa}]", "expected True, as initial values come from the run's seed"),
    ("llm.adapter.args", "[{r: 1, r: 2}]", "given twice"),
    ("llm.adapter.args", "[{rank_pattern: {b: 1, b: 2}}]", "given twice"),
    ("llm.adapter.args", "[{rank_pattern: {a: !!python/name:os.system x}}]", "a number, True, False"),
]


@pytest.mark.parametrize(("key", "text", "expected"), REFUSED)
def test_a_wrong_value_is_refused_with_what_is_allowed(mistakes: Mistakes, key: str, text: str, expected: str) -> None:
    message = mistakes("", key, text)
    assert key in message
    assert expected in message


def test_arguments_are_passed_on_and_completed(load_text: Load) -> None:
    text = """
llm: {adapter: {args: [{r: 4, target_modules: [q_proj, v_proj], rank_pattern: {'1': 2e+0}, exclude_modules: '1e-2'}]}}
train:
  optimizer:
    type: adamw
    betas: (0.9, 0.99)
    eps: 1e-6
  scheduler: {type: StepLR, step_size: 5}
trainer: {type: llmtrainer}
"""
    cfg = load_text(text)
    assert cfg.llm.adapter.args == (
        {
            "adapter_package": "peft",
            "adapter_method": "lora",
            "r": 4,
            "lora_alpha": 16,
            "lora_dropout": 0.0,
            "target_modules": ("q_proj", "v_proj"),
            "rank_pattern": {"1": 2.0},
            "exclude_modules": "1e-2",
        },
    )
    assert cfg.train.optimizer.type == "AdamW"
    assert cfg.train.optimizer.betas == (0.9, 0.99)
    assert cfg.train.optimizer.eps == 1e-6
    assert cfg.train.scheduler.step_size == 5


def test_an_alias_may_stand_for_a_single_value(load_text: Load) -> None:
    cfg = load_text("federate: {client_num: &n 5, sample_client_num: *n}")
    assert cfg.federate.sample_client_num == 5


def test_a_mapping_may_be_an_argument(load_text: Load) -> None:
    cfg = load_text("trainer: {type: llmtrainer}", "train.optimizer.extra", "{a: [1e-1]}")
    assert cfg.train.optimizer.extra == {"a": (0.1,)}
    assert load_text(dump(cfg)) == cfg


def test_quoted_text_that_looks_like_a_number_stays_text_in_a_dump(load_text: Load) -> None:
    cfg = load_text("llm: {adapter: {args: [{target_modules: '1e-2', rank_pattern: {a: 1e-2}}]}}")
    assert load_text(dump(cfg)).llm.adapter.args[0] == cfg.llm.adapter.args[0]
    assert cfg.llm.adapter.args[0]["target_modules"] == "1e-2"


@pytest.mark.parametrize("text", ["1", "True", "2026-11-23", "null", "a: b", "[x", "1e-2"])
def test_text_on_the_command_line_is_taken_as_it_is(load_text: Load, text: str) -> None:
    assert load_text("", "expname", text).expname == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", "text (in quotes, if this is meant)"), ("null", "text"), ('"a\\0b"', "text without null characters")],
)
def test_text_in_a_file_is_text(mistakes: Mistakes, value: str, expected: str) -> None:
    assert f"outdir = {value}\n      expected {expected}" in mistakes(f"outdir: {value}")
