"""What every registered callback keeps: it is made with a run, takes whatever it is told, and is closed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedmezo.reporting.callbacks import Callback, RunContext, registry
from fedmezo.reporting.callbacks.make import ALWAYS, make_callback
from fedmezo.reporting.dispensable import Dispensable
from tests.ledger.made import evaluation
from tests.reporting.reports import make_report

names = pytest.mark.parametrize("name", registry.names())
OPTIONAL = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}
SETTINGS = {"wandb": {"name_project": "", "name_user": "", "online_track": False, "client_train_info": True}}


class Anything(SimpleNamespace):
    """Stands for a package that is not installed: whatever is called gives another one."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: Anything(dir="here")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    for package in OPTIONAL.values():
        monkeypatch.setitem(__import__("sys").modules, package, Anything())
    (tmp_path / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    return RunContext(tmp_path, SETTINGS, steps=[2, 2], past=[make_report(0)], evaluations=[evaluation(0, val=2.0)])


@names
def test_it_takes_whatever_it_is_told(name: str, run: RunContext) -> None:
    callback = registry[name](run)
    assert isinstance(callback, Callback)
    callback.before_round(1, [0.1, 0.2])
    callback.on_step(float("nan"))
    callback.on_evaluated(3)
    callback.after_evaluation(evaluation(2, val=1.0), evaluation(0, val=2.0))
    callback.after_round(make_report(1, losses={"val": 1.0}, seconds=1.0))
    assert not callback.wants_stop()
    callback.close()


@names
def test_only_what_a_run_always_has_may_fail_it(name: str, run: RunContext) -> None:
    callback = make_callback(name, run)
    assert isinstance(callback, Dispensable) != (name in ALWAYS)
    callback.close()


def test_what_a_run_always_has_is_registered() -> None:
    assert set(ALWAYS) <= registry.names().keys()
