"""A configuration written for the reference system loads unchanged and runs."""

import json
from pathlib import Path

import pytest

from fedmezo import config
from fedmezo.config.settings import read_group
from fedmezo.core.documents.nodes import compose
from fedmezo.core.documents.problems import Problems
from fedmezo.main import main
from tests.config.test_reference import REFERENCE_KEYS
from tests.paper import ROWS, SOME_PAPERS, write_data

TEMPLATE = """\
use_gpu: True
device: 0
seed: 42
outdir: exp
expname: {name}
verbose: 1
early_stop:
  patience: 0
federate:
  mode: standalone
  method: FedAvg
  client_num: 3
  sample_client_num: -1
  sample_client_rate: 1.0
  total_round_num: {rounds}
  share_local_model: True
  online_aggr: False
  make_global_eval: False
  ignore_weight: False
  save_to: "{name}.ckpt"
  save_freq: {save_freq}
  restore_from: ''
  merge_test_data: False
data:
  root: data/
  type: '{row.data}'
  splits: [{splits}]
  splitter: '{row.splitter}'
  splitter_args: {splitter_args}
  subsample: 1.0
dataloader:
  batch_size: 1
  shuffle: True
model:
  type: 'openlm-research/open_llama_3b_v2@huggingface_llm'
llm:
  tok_len: {row.tok_len}
  retry_on_nan_loss: True
  cache:
    model: ''
  chat:
    max_len: 1000
  adapter:
    use: True
    args: [ {{ 'adapter_package': 'peft', 'adapter_method': 'lora', 'r': {r}, 'lora_alpha': {alpha},
             'lora_dropout': 0.05 }} ]
    mv_to_cpu: False
train:
  train_strategy: '{row.strategy}'
  local_update_steps: {steps}
  batch_or_epoch: batch
  optimizer:
    type: SGD
    lr: {rate}
    weight_decay: 0.0
    momentum: 0.0
  scheduler:
    type: ''
  is_enable_half: True
grad:
  grad_clip: -1.0
criterion:
  type: CrossEntropyLoss
trainer:
  type: {row.trainer}
eval:
  freq: 10
  metrics: ['loss']
  split: [{split}]
  best_res_update_round_wise_key: {best}
  count_flops: False
wandb:
  use: False
  name_user: ''
  name_project: 'fedmezo'
  online_track: False
  client_train_info: False
"""
OVERRIDES = "model.type tiny-llama@random_llm federate.total_round_num 1 train.local_update_steps 1 use_gpu False"


def written(name: str) -> str:
    """Return a run's settings in the reference's schema, the rate as a number, in quotes, or without a point."""
    row, small = ROWS[name], name == "mezo_testcase"
    rate = f"{row.rate:.1e}"
    return TEMPLATE.format(
        name=name,
        row=row,
        rounds=100 if small else 500,
        steps=5 if small else 30,
        save_freq=50 if small else 100,
        r=8 if small else 128,
        alpha=16 if small else 256,
        splits=", ".join(map(str, row.splits)),
        splitter_args="[ { 'alpha': 0.5 } ]" if row.splitter == "lda" else "[]",
        rate=rate.replace(".0", "") if row.strategy == "frozen" else f"'{rate}'",
        split="'val', 'test'" if row.splits[1] else "'test'",
        best="val_loss" if row.splits[1] else "test_loss",
    )


def test_the_template_has_every_key_of_the_reference_system() -> None:
    problems = Problems()
    root = compose(written("alpaca_mezo_iid"), "template")
    assert root is not None
    assert set(read_group(root, "", problems)) == set(REFERENCE_KEYS)
    assert not problems


@SOME_PAPERS
def test_a_configuration_of_the_reference_system_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    Path("theirs.yaml").write_text(written(name), encoding="utf-8")
    assert config.load(Path("theirs.yaml")).train.optimizer.lr == ROWS[name].rate
    assert main(["--cfg", "theirs.yaml", *OVERRIDES.split()]) == 0
    summary = json.loads(Path("exp", name, "summary.json").read_text(encoding="utf-8"))
    assert summary["rounds"] == 1
    assert Path(f"{name}.ckpt", "adapter_config.json").exists()
