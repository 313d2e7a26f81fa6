"""``import fedmezo``: runs from Python, the same bits as those of the programs, and a process left as it was."""

import importlib.util
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from transformers.utils import logging as transformers_logging

import fedmezo
from fedmezo.core.log import LOG
from fedmezo.core.signals import STOPPING
from fedmezo.federation.evaluations import Evaluations
from fedmezo.generate import main as generate
from fedmezo.models.hashing import point_hash
from tests.conftest import REPOSITORY, TINY, WORD_PROBLEMS
from tests.test_main import Run, same, train

Write = Callable[..., Path]
IMPORTS = """
import sys
from fedmezo import *
import fedmezo
assert fedmezo.load_config("quickstart", {"zo.mu": 1e-4, "outdir": "a b"}).zo.mu == 1e-4
fedmezo.open_run(sys.argv[1]).metrics
print(*sys.modules)
"""


@contextmanager
def untouched() -> Iterator[None]:
    """Make sure that what belongs to the process is afterwards as before."""

    def state() -> Any:
        handlers = [signal.getsignal(number) for number in STOPPING]
        logs = [logging.getLogger(name).handlers[:] for name in ("fedmezo", "py.warnings", "")]
        said = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
        return handlers, logs, said, torch.get_num_threads(), torch.random.get_rng_state().tolist(), sys.unraisablehook

    before = state()
    try:
        yield
    finally:
        assert state() == before


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> fedmezo.Run:
    """One run of four rounds for all that only look at it."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"data": TINY["data"] | WORD_PROBLEMS}), encoding="utf-8")
    overrides = {"outdir": folder / "runs", "train.optimizer.lr": 0.5, "federate.hash_freq": 1, "verbose": 0}
    return fedmezo.run(folder / "tiny.yaml", overrides)


@pytest.mark.integration
def test_importing_it_and_reading_a_run_import_nothing_heavy(run: fedmezo.Run) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS, str(run.path)], check=True, capture_output=True, text=True)
    assert not {"torch", "numpy", "transformers", "pandas"} & set(done.stdout.split())
    assert set(fedmezo.__all__) <= set(dir(fedmezo))
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        getattr(fedmezo, "rnu")  # noqa: B009 - mypy knows that there is none


def test_a_run_is_the_programs_and_leaves_the_process_as_it_was(
    tiny_yaml: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(2)
    path = tiny_yaml()
    with untouched():
        own = fedmezo.run(path, {"expname": "library", "train.optimizer.lr": 0.02})
    said = capsys.readouterr()
    assert "round 4/4: train loss" in said.err and "4 (completed)" in said.out and own.path.name == "library"
    assert same(Run(own.path), train(path, "program", "train.optimizer.lr", "0.02", "--quiet"))


def test_a_run_that_goes_on_is_the_same(tiny_yaml: Write) -> None:
    path = tiny_yaml(verbose=0)
    with untouched():
        part = fedmezo.run(str(path), {"expname": "part", "federate.total_round_num": 2})
        again = part.resume({"federate.total_round_num": 4}, quiet=True)
    assert again.path == part.path and same(Run(part.path), train(path, "whole"))


def test_ctrl_c_finishes_the_round_and_is_raised(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_yaml(verbose=0)
    evaluate = Evaluations.run

    def interrupted(self: Evaluations, rounds_done: int, parameters: torch.Tensor) -> Any:
        if rounds_done == 2:
            signal.raise_signal(signal.SIGINT)
        return evaluate(self, rounds_done, parameters)

    monkeypatch.setattr(Evaluations, "run", interrupted)
    with untouched(), pytest.raises(KeyboardInterrupt):
        fedmezo.run(path, {"expname": "part"})
    monkeypatch.undo()
    part = fedmezo.open_run(path.parent / "runs" / "part")
    assert part.summary["outcome"] == "interrupted" and len(part.metrics) == 2
    assert part.resume().summary["outcome"] == "completed"


def test_what_a_run_holds(run: fedmezo.Run) -> None:
    opened = fedmezo.open_run(str(run.path))
    assert repr(opened) == repr(run) == f"fedmezo.open_run({str(run.path)!r})"
    assert opened.config.train.optimizer.lr == 0.5 and opened.config.federate.client_num == 3
    assert opened.summary["outcome"] == "completed" and opened.summary["rounds"] == 4
    records = opened.metrics
    assert [record["round"] for record in records] == [0, 1, 2, 3] and len(records[0]["clients"]) == 3
    assert [record.round_index for record in opened.ledger.rounds()] == [0, 1, 2, 3]


def test_a_frame_has_a_row_for_each_round(run: fedmezo.Run) -> None:
    frame = run.frame()
    assert list(frame.index) == [0, 1, 2, 3] and frame.index.name == "round"
    assert frame["train_loss"].tolist() == [record["train_loss"] for record in run.metrics]
    assert frame["test_loss"].isna().tolist() == [True, False, True, False]
    clients = run.frame(clients=True)
    assert clients.loc[(2, 1), "loss"] == run.metrics[2]["clients"][1]["loss"] and len(clients) == 12
    assert isinstance(clients, pd.DataFrame) and not {"clients", "rejected"} & set(frame)


def test_a_frame_of_a_run_without_rounds_is_empty(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n", encoding="utf-8")
    begun = fedmezo.open_run(tmp_path)
    assert len(begun.frame()) == len(begun.frame(clients=True)) == 0 and begun.metrics == []
    with pytest.raises(fedmezo.ResourceError, match=r"summary.json\n    the run is not at an end"):
        assert begun.summary


def test_without_pandas_the_error_says_so(run: fedmezo.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(fedmezo.ConfigurationError, match="pandas is not installed"):
        run.frame()


@pytest.mark.parametrize("rounds", [0, 2, 4, "final", "best"])
def test_a_model_stands_where_the_run_was(run: fedmezo.Run, rounds: Any) -> None:
    with untouched():
        model = run.model(rounds)
    hashes = run.ledger.hashes()
    expected = hashes[model.rounds] if model.rounds else run.ledger.header.hashes["initial"]  # type: ignore[union-attr]
    assert point_hash(model.parameters) == expected
    assert model.rounds == (4 if rounds == "final" else rounds) or rounds == "best"
    trained = sorted((name, each) for name, each in model.module.named_parameters() if each.requires_grad)
    assert torch.equal(torch.cat([each.detach().flatten() for _, each in trained]), model.parameters)
    assert model.tokenizer("a")["input_ids"] and not model.module.training


def test_it_answers_as_the_program_does(run: fedmezo.Run, capsys: pytest.CaptureFixture[str]) -> None:
    model = run.model()
    tuned = model.generate("Why?", max_tokens=8)
    base = model.generate("Why?", max_tokens=8, tuned=False)
    assert generate([str(run.path), "--prompt", "Why?", "--max-tokens", "8"]) == 0
    assert capsys.readouterr().out == f"base:\n{base}\n\nafter 4 rounds:\n{tuned}\n\n" and base != tuned
    drawn = [model.generate("Why?", max_tokens=8, temperature=5.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(model.parameters, run.model().parameters)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"zo.muu": 1}, "no such key; the nearest is zo.mu"),
        ({"zo.mu": "fast", "federate.client_num": 0}, "2 mistakes"),
        ({"zo.mu": object()}, "zo.mu = <object object at .*>\n    it cannot be said in YAML"),
        ({"model.type": "x"}, "NAME@HUB"),
    ],
)
def test_a_wrong_configuration_is_an_exception(tiny_yaml: Write, overrides: dict[str, Any], message: str) -> None:
    for function in (fedmezo.run, fedmezo.load_config):
        with pytest.raises(fedmezo.ConfigurationError, match=message):
            function(tiny_yaml(), overrides)


def test_other_mistakes_are_exceptions_too(run: fedmezo.Run, tiny_yaml: Write, tmp_path: Path) -> None:
    with pytest.raises(fedmezo.ConfigurationError, match="nearest is quickstart"):
        fedmezo.load_config("quickstat")
    with pytest.raises(fedmezo.ResourceError, match="no run in this folder"):
        fedmezo.open_run(tmp_path)
    with pytest.raises(fedmezo.ResourceError, match="no-such"), untouched():
        fedmezo.run(tiny_yaml(), {"model.type": "no-such/model@huggingface_llm"})
    with pytest.raises(fedmezo.ConfigurationError, match="is not overwritten"):
        fedmezo.run(tiny_yaml(), {"outdir": run.path.parent, "expname": run.path.name})
    with pytest.raises(fedmezo.ConfigurationError, match=r"train.optimizer.lr\n    cannot change"):
        run.resume({"train.optimizer.lr": 1})
    for rounds in ("lst", -1, 2.0, True):
        with pytest.raises(fedmezo.ConfigurationError, match="expected a number of rounds, best or final"):
            run.model(rounds)  # type: ignore[arg-type]
    with pytest.raises(fedmezo.ConfigurationError, match="expected 0 to 4, best or final; the nearest is 4"):
        run.model(9)


def test_overrides_are_values_of_python(tiny_yaml: Write, tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "outdir": tmp_path / "my #1 dir",
        "zo.mu": 1e-05,
        "zo.seed": None,
        "use_gpu": False,
        "eval.split": ("test", "val"),
        "llm.adapter.args": [{"adapter_method": "lora", "r": 2}],
        "expname": "on: off",
    }
    cfg = fedmezo.load_config(tiny_yaml(), values)
    assert (cfg.outdir, cfg.zo.mu, cfg.zo.seed, cfg.use_gpu) == (str(tmp_path / "my #1 dir"), 1e-05, None, False)
    assert cfg.eval.split == ("test", "val") and cfg.llm.adapter.args[0]["r"] == 2 and cfg.expname == "on: off"
    assert fedmezo.load_config("quickstart") == fedmezo.load_config(REPOSITORY / "configs" / "quickstart.yaml")


def test_nothing_of_it_is_left_attached() -> None:
    assert LOG.handlers == []
