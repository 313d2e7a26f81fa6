from pathlib import Path

import pytest

from fedmezo import config
from fedmezo.config.schema import DEFAULTS, KEYS
from fedmezo.config.unused import KEYS as RULES

TOLD: list[tuple[list[str], str]] = [
    (["llm.adapter.args", "[{adapter_method: lora, lora_dropout: 0.5}]"], "lora_dropout = 0.5"),
    (["llm.adapter.args", "[{adapter_method: p-tuning, encoder_dropout: 0.5}]"], "encoder_dropout = 0.5"),
    (["llm.adapter.args", "[{adapter_method: p-tuning, encoder_num_layers: 3}]"], "encoder_num_layers = 3"),
    (["llm.adapter.args", "[{adapter_method: prefix, encoder_hidden_size: 9}]"], "encoder_hidden_size = 9"),
    (["llm.adapter.args", "[{adapter_method: prompt, prompt_tuning_init_text: Hi}]"], "prompt_tuning_init_text = Hi"),
    (["llm.adapter.use", "False", "llm.adapter.args", "[{adapter_method: ia3}]"], "llm.adapter.args = "),
    (["train.lr_half_width", "1e-6"], "train.lr_half_width = 1e-06"),
    (["data.type", "own.json", "data.steps", "1"], "data.steps = 1"),
    (["data.type", "mine.yaml", "data.prompt", "chat"], "data.prompt = chat"),
    (["data.polarity", "2"], "data.polarity = 2.0"),
    (["data.type", "mine.yaml", "data.split_by", "label"], "data.split_by = label"),
    (["trainer.type", "llmtrainer", "zo.mu", "1e-2"], "zo.mu = 0.01"),
    (["trainer.type", "llmtrainer", "dataloader.micro_batch_size", "1"], "dataloader.micro_batch_size = 1"),
    (["federate.ignore_weight", "True", "federate.weight_by", "dataset"], "federate.weight_by = dataset"),
    (["federate.min_results", "2"], "federate.min_results = 2"),
    (["engine.workers", "2"], "engine.workers = 2"),
    (["engine.superlink", "localhost:1"], "engine.superlink = localhost:1"),
    (["wandb.name_user", "me"], "wandb.name_user = me"),
    (["use_gpu", "False", "device", "1"], "device = 1"),
]
HEEDED: list[list[str]] = [
    ["trainer.type", "llmtrainer", "llm.adapter.args", "[{adapter_method: lora, lora_dropout: 0.5}]"],
    ["llm.adapter.args", "[{adapter_method: prefix, encoder_hidden_size: 9, prefix_projection: True}]"],
    ["llm.adapter.args", "[{adapter_method: prompt, prompt_tuning_init: TEXT, prompt_tuning_init_text: Hi}]"],
    ["llm.adapter.args", "[{adapter_method: p-tuning, encoder_reparameterization_type: LSTM, encoder_num_layers: 3}]"],
    ["train.train_strategy", "random", "train.lr_half_width", "1e-6"],
    ["data.type", "mine.yaml", "data.splitter", "lda", "data.split_by", "label"],
    ["data.steps", "1", "zo.mu", "0.1", "engine.lanes", "2"],
    ["federate.on_failure", "drop", "federate.min_results", "2"],
]


def lines(tmp_path: Path, overrides: list[str]) -> list[str]:
    path = tmp_path / "empty.yaml"
    path.touch()
    return config.unused(config.load(path, overrides))


@pytest.mark.parametrize(("overrides", "told"), TOLD, ids=[told for _, told in TOLD])
def test_a_key_without_effect_is_told_with_the_reason(overrides: list[str], told: str, tmp_path: Path) -> None:
    (line,) = lines(tmp_path, overrides)
    assert told in line and " has no effect: " in line


@pytest.mark.parametrize("overrides", HEEDED, ids=" ".join)
def test_a_key_that_has_an_effect_is_not(overrides: list[str], tmp_path: Path) -> None:
    assert lines(tmp_path, overrides) == []


def test_the_rules_name_keys_that_there_are() -> None:
    names = [name for rule in RULES for name in rule.keys]
    assert all(name in DEFAULTS or any(key.startswith(name) for key in KEYS if name.endswith(".")) for name in names)
