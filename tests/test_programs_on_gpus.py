"""The programs on GPUs: what a run is followed by, and what is asked before one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import fedmezo.generate
import fedmezo.main
import fedmezo.report
from fedmezo.__main__ import main as fedmezo_command
from tests.test_main import Run
from tests.test_matrix_on_gpus import ALL, PLACES, folders, need, runs
from tests.test_replay import replayed

pytestmark = pytest.mark.gpu
__all__ = ["folders", "runs"]  # fixtures
PROGRAMS: dict[str, tuple[Callable[[Sequence[str]], int], tuple[str, ...]]] = {
    "generate": (fedmezo.generate.main, ("--prompt", "1 + 1 =", "--max-tokens", "3")),
    "report": (fedmezo.report.main, ()),
}


@pytest.mark.covering(2)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("words", [(), ALL], ids=["lora", "all"])
def test_a_run_is_exported_answers_and_is_reported_on(
    words: tuple[str, ...], half: bool, place: str, runs: Callable[..., Run], tmp_path: Path
) -> None:
    need(place)
    if half and words == ALL and place == "both":
        pytest.skip("all parameters in half precision are trained on one device")
    run = runs("run", "tiny-llama", *words, *PLACES[place], half=half)
    replayed(run, "--round", "1", "--export", "merged", "--to", str(tmp_path / "merged"))
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    for program, rest in (PROGRAMS["generate"], PROGRAMS["report"]):
        assert program([str(run.folder), *rest]) == 0


@pytest.mark.parametrize("place", PLACES)
def test_theory(place: str, runs: Callable[..., Run]) -> None:
    need(place)
    run = runs("run", "tiny-llama", *PLACES[place])
    assert fedmezo_command(["theory", str(run.folder), "--batches", "3"]) == 0


@pytest.mark.parametrize("words", [("--check",), ("--check", "--fidelity", "4"), ("--suggest",)], ids=" ".join)
def test_what_is_asked_before_a_run(words: tuple[str, ...], tiny_yaml: Callable[..., Path]) -> None:
    assert fedmezo.main.main(["--cfg", str(tiny_yaml()), *words, "device", "0"]) == 0
