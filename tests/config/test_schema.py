"""The schema as a whole."""

from pathlib import Path

import pytest
import yaml

from fedmezo import config
from fedmezo.config import dump, names
from fedmezo.config.schema import DEFAULTS, GROUPS, KEYS, OPEN_GROUPS, SECTIONS, parent
from fedmezo.core.registry import declared_names

from .conftest import REGISTERED, Load

REFERENCE = """
use_gpu: True
device: 0
seed: 42
outdir: exp
expname: mezo
verbose: 1
early_stop: {patience: 0}
federate: {mode: standalone, method: FedAvg, client_num: 3, sample_client_num: 3, sample_client_rate: 1.0,
  total_round_num: 500, share_local_model: True, online_aggr: False, make_global_eval: False,
  ignore_weight: False, save_to: '', save_freq: 100, restore_from: '', merge_test_data: False}
data: {root: data/, type: 'alpaca@llm', splits: [0.998, 0.001, 0.001], splitter: iid, splitter_args: [],
  subsample: 1.0}
dataloader: {batch_size: 1, shuffle: True}
model: {type: 'openlm-research/open_llama_3b_v2@huggingface_llm'}
llm: {tok_len: 1000, retry_on_nan_loss: True, cache: {model: ''}, chat: {max_len: 1000}, adapter: {use: True,
  mv_to_cpu: False, args: [{'adapter_package': 'peft', 'adapter_method': 'lora', 'r': 128, 'lora_alpha': 256,
  'lora_dropout': 0.05}]}}
train: {train_strategy: frozen, local_update_steps: 30, batch_or_epoch: batch, is_enable_half: True,
  optimizer: {type: SGD, lr: 1e-5, weight_decay: 0.0, momentum: 0.0}, scheduler: {type: ''}}
grad: {grad_clip: -1.0}
criterion: {type: CrossEntropyLoss}
trainer: {type: mezotrainer}
eval: {freq: 10, metrics: ['loss'], split: ['val', 'test'], best_res_update_round_wise_key: val_loss,
  count_flops: False}
wandb: {use: False, name_user: '', name_project: '', online_track: False, client_train_info: False}
"""


def test_a_configuration_of_the_reference_system_loads_unchanged(load_text: Load) -> None:
    cfg = load_text(REFERENCE)
    assert cfg.train.optimizer.lr == 1e-5
    assert cfg.llm.adapter.args[0]["lora_dropout"] == 0.05


def test_every_default_is_a_value_that_its_key_takes(load_text: Load) -> None:
    cfg = load_text()
    assert load_text(dump(cfg)) == cfg
    assert yaml.safe_load(dump(cfg)).keys() == cfg.keys()


def test_names_are_unique_and_no_key_is_a_group() -> None:
    names_ = [key.name for section in SECTIONS for key in section.keys]
    assert len(names_) == len(set(names_))
    assert not GROUPS & KEYS.keys()
    assert OPEN_GROUPS <= GROUPS
    assert "llm.adapter" in GROUPS
    assert parent("llm.adapter.use") == "llm.adapter"
    assert DEFAULTS.keys() | {"_base_"} == KEYS.keys()


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_key_has_one_line_of_help(key: config.key.Key) -> None:
    assert key.help.endswith(".")
    assert "\n" not in key.summary
    assert key.summary.startswith("Accepted; no effect: ") == key.no_effect
    assert key.kind.describe()


def test_the_package_registers_every_name_that_the_tests_assume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "PACKAGE", Path(config.__file__).parent.parent)
    for folder, registered in REGISTERED.items():
        assert set(registered) <= set(names.registered(folder)), folder


def test_a_name_is_registered_by_its_file_alone(package: Path, load_text: Load) -> None:
    new = package / "federation" / "strategies" / "mine.py"
    source = "from fedmezo.federation.strategies import register\n@register('mine')\ndef rates(): ...\n"
    new.write_text(source, encoding="utf-8")
    declared_names.cache_clear()
    try:
        assert load_text("", "train.train_strategy", "mine").train.train_strategy == "mine"
    finally:
        new.unlink()
        declared_names.cache_clear()


def test_a_folder_without_files_registers_nothing() -> None:
    assert names.registered("nowhere") == ()
