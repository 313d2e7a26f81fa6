"""A run goes on, and is read, with its base model elsewhere: the ledger tells that it is the same one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

from fedmezo.commands.subcommands.theory import main as theory
from fedmezo.core.run_folder import RunFolder
from fedmezo.evaluate import main as evaluate
from fedmezo.generate import main as generate
from fedmezo.main import main
from fedmezo.replay import main as replay
from tests.conftest import TINY
from tests.model_folders import write_model

READING: dict[str, Callable[[str], int]] = {
    "replay": lambda run: replay([run, "--verify", "--model", "moved@huggingface_llm"]),
    "generate": lambda run: generate([run, "--prompt", "hi", "--max-tokens", "2", "--model", "moved@huggingface_llm"]),
    "theory": lambda run: theory([run, "--round", "0", "--model", "moved@huggingface_llm"]),
}
WITHOUT: dict[str, Callable[[str], int]] = {
    "resume": lambda run: main(["--resume", run, "federate.total_round_num", "3"]),
    "replay": lambda run: replay([run]),
    "generate": lambda run: generate([run, "--prompt", "hi"]),
    "evaluate": lambda run: evaluate([run, "--tasks", "task.yaml"]),
    "theory": lambda run: theory([run]),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run, whose base model was moved, and another model."""
    folder = tmp_path_factory.mktemp("moved")
    write_model(folder / "model")
    content = TINY | {"model": {"type": "model@huggingface_llm"}, "outdir": str(folder)}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["--cfg", "tiny.yaml", "-q", "expname", "run", "federate.total_round_num", "2"]) == 0
    (folder / "model").rename(folder / "moved")
    weights = load_file(shutil.copytree(folder / "moved", folder / "other") / "model.safetensors")
    weights["model.norm.weight"] += 1e-3
    save_file(weights, folder / "other/model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def run(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stand in a copy of the folder, and return the run's name there."""
    monkeypatch.chdir(shutil.copytree(ran, tmp_path / "copy"))
    return "run"


def test_a_run_goes_on_with_its_model_elsewhere_and_remembers_where(run: str) -> None:
    assert main(["--resume", run, "-q", "federate.total_round_num", "3", "model.type", "moved@huggingface_llm"]) == 0
    assert "moved@huggingface_llm" in RunFolder(Path(run)).config.read_text(encoding="utf-8")
    assert replay([run, "--verify"]) == 0
    assert main(["--resume", run, "-q", "federate.total_round_num", "4"]) == 0


@pytest.mark.parametrize("program", READING)
def test_a_run_is_read_with_its_model_elsewhere(program: str, run: str) -> None:
    assert READING[program](run) == 0


def test_a_run_is_read_where_its_configuration_was_edited(run: str) -> None:
    config = RunFolder(Path(run)).config
    config.write_text(config.read_text(encoding="utf-8").replace("model@", "moved@"), encoding="utf-8")
    assert generate([run, "--prompt", "hi", "--max-tokens", "2"]) == 0
    assert replay([run, "--verify"]) == 0


@pytest.mark.parametrize("program", WITHOUT)
def test_a_model_that_is_gone_is_named_with_how_to_say_where_it_is(
    program: str, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("task.yaml").write_text("task: t\n", encoding="utf-8")
    assert WITHOUT[program](run) == 3
    said = capsys.readouterr().err
    assert "model.type = model@huggingface_llm" in said
    assert str(Path("model").resolve()) in said
    how = "model.type NAME@HUB on the command line" if program == "resume" else "--model NAME@HUB"
    assert how in said


def test_another_model_is_refused(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--resume", run, "model.type", "other@huggingface_llm", "federate.total_round_num", "3"]) == 3
    assert replay([run, "--model", "other@huggingface_llm"]) == 3
    assert capsys.readouterr().err.count("this run began with another model") == 2
    assert replay([run, "--model", "tiny-llama@random_llm", "--verify"]) == 0  # the same by its values


def test_a_model_that_is_none_is_refused_by_its_key(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay([run, "--model", "moved"]) == 2
    assert "model.type" in capsys.readouterr().err
