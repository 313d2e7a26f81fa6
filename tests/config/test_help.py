"""Help on the keys."""

import pytest

from fedmezo.config import help_config
from fedmezo.config.schema import KEYS
from fedmezo.core.errors import ConfigurationError


def test_all_keys_are_listed_with_default_and_help() -> None:
    text = help_config()
    for key in KEYS.values():
        assert f"\n  {key.name} = " in text
        assert f"\n      {key.summary}" in text
    assert "  train.optimizer.lr = 1.0e-05\n      Base learning rate; auto: " in text


def test_a_section_and_a_group_list_their_own_keys_only() -> None:
    assert help_config("grad").count(" = ") == 1
    listed = help_config("train.optimizer")
    assert "train.optimizer.momentum" in listed
    assert "train.is_enable_half" not in listed
    assert "use_gpu" in help_config("run")


def test_one_key_is_explained_in_full() -> None:
    assert help_config("grad.grad_clip") == (
        "grad.grad_clip\n  Largest norm of a gradient; -1: not clipped.\n  Default: -1.0\n"
        "  Allowed: a number > 0, or -1"
    )
    assert "Accepted; no effect: " in help_config("federate.online_aggr")
    assert "frozen" in help_config("train.train_strategy")


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no such key: grad\.clip; the nearest is grad\.grad_clip"):
        help_config("grad.clip")
