"""The generated reference of the keys."""

import subprocess
import sys

import pytest

from fedmezo.config.schema import KEYS
from tests.conftest import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "configuration.md"
SCRIPT = REPOSITORY / "scripts" / "configuration_docs.py"
# every key that a configuration of the reference system may hold, by group
REFERENCE = {
    "": "use_gpu device seed outdir expname verbose",
    "early_stop.": "patience",
    "federate.": "mode method client_num sample_client_num sample_client_rate total_round_num share_local_model "
    "online_aggr make_global_eval ignore_weight save_to save_freq restore_from merge_test_data",
    "data.": "root type splits splitter splitter_args subsample",
    "dataloader.": "batch_size shuffle",
    "model.": "type",
    "llm.": "tok_len retry_on_nan_loss cache.model chat.max_len adapter.use adapter.args adapter.mv_to_cpu",
    "train.": "train_strategy local_update_steps batch_or_epoch optimizer.type optimizer.lr optimizer.weight_decay "
    "optimizer.momentum scheduler.type is_enable_half",
    "grad.": "grad_clip",
    "criterion.": "type",
    "trainer.": "type",
    "eval.": "freq metrics split best_res_update_round_wise_key count_flops",
    "wandb.": "use name_user name_project online_track client_train_info",
}
REFERENCE_KEYS = [group + name for group, names in REFERENCE.items() for name in names.split()]
NO_EFFECT = ("share_local_model", "online_aggr", "merge_test_data", "mv_to_cpu")


def test_the_document_is_what_the_schema_says() -> None:
    made = subprocess.run([sys.executable, str(SCRIPT)], check=True, capture_output=True, text=True).stdout
    if made != DOCUMENT.read_text(encoding="utf-8"):  # the difference itself would be a screenful
        pytest.fail("docs/configuration.md is stale: python scripts/configuration_docs.py > docs/configuration.md")


def test_every_key_has_a_row_with_a_meaning() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = {line.split("`")[1]: line.split(" | ") for line in lines if line.startswith("| `")}
    assert len(REFERENCE_KEYS) == 59
    for key in (*REFERENCE_KEYS, *KEYS):
        meaning = rows[key][-1].removesuffix(" |")
        assert meaning.startswith("Accepted; no effect: ") == KEYS[key].no_effect, key
        assert len(meaning) > 4 and meaning.endswith("."), key


def test_keys_without_effect_are_those_that_nothing_here_reads() -> None:
    found = {key.rpartition(".")[2] for key in REFERENCE_KEYS if KEYS[key].no_effect}
    assert found - {"max_len"} == set(NO_EFFECT)
