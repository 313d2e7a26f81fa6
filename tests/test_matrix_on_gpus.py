"""What is trained, on which devices, in which dtype: whole runs on GPUs, which the CPU then verifies.

Where there is no GPU, ``tests/gpu_standin/test_standin.py`` has these run on the stand-in.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fedmezo.assembly import precision
from fedmezo.core.errors import ConfigurationError
from tests.model_folders import write_model
from tests.models.tiny import FAMILIES
from tests.test_main import Run, resume, train
from tests.test_replay import replayed

pytestmark = pytest.mark.gpu
Write = Callable[..., Path]
LORA = "llm.adapter.args", "[{adapter_method: lora, r: 4}]"
ALL = "llm.adapter.use", "False"
BLOCKS = "zo.blocks", "2", "zo.queries", "2", "zo.estimator", "one-sided"
BACKPROP = "trainer.type", "llmtrainer"
TRAINED: dict[str, tuple[str, ...]] = {
    "lora": LORA,
    "norms": ("llm.adapter.args", "[{adapter_method: ln-tuning}]"),
    "all": ALL,
    "lora in blocks": (*LORA, *BLOCKS),
    "all in blocks": (*ALL, *BLOCKS),
    "lora by backpropagation": (*LORA, *BACKPROP),
    "all by backpropagation": (*ALL, *BACKPROP),
}
PLACES: dict[str, tuple[str, ...]] = {
    "cuda:0": ("device", "0"),
    "cuda:1": ("device", "1"),
    "both": ("model.device_map", "balanced"),
}
CPU = ("use_gpu", "False")


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what takes the GPUs away from the rest of a test."""

    def take_away() -> None:
        monkeypatch.setattr(precision, "gpu_is_usable", lambda: False)

    return take_away


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a family's tiny model, which can be spread over devices."""
    root = tmp_path_factory.mktemp("models")
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = write_model(root / family, family)
        return made[family]

    return folder


@pytest.fixture
def runs(tiny_yaml: Write, folders: Callable[[str], Path]) -> Callable[..., Run]:
    """Return what trains two clients for two rounds of one step."""

    def run(name: str, family: str, *overrides: str, half: bool = False, code: int = 0) -> Run:
        path = tiny_yaml(
            model={"type": f"{folders(family)}@huggingface_llm"},
            data={"num_examples": 12, "splits": [0.5, 0.25, 0.25]},
            federate={"client_num": 2, "total_round_num": 2, "hash_freq": 1},
            train={"local_update_steps": 1, "is_enable_half": half},
            eval={"freq": 1},
        )
        return train(path, name, *overrides, code=code)

    return run


def need(place: str) -> None:
    """Skip a test of devices that are not there."""
    if place != "cuda:0" and torch.cuda.device_count() < 2:
        pytest.skip("there is one CUDA device")


def losses(run: Run) -> list[float]:
    return [row[name] for row in run.rows() for name in ("train_loss", "val_loss", "test_loss")]


@pytest.mark.covering(2)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("trained", TRAINED)
def test_a_run(
    trained: str, half: bool, place: str, runs: Callable[..., Run], without_gpu: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    need(place)
    chosen = (*TRAINED[trained], *PLACES[place])
    if half and trained.startswith("all") and (place == "both" or BACKPROP[1] in chosen):
        runs("refused", "tiny-llama", *chosen, half=half, code=ConfigurationError.exit_code)
        assert "in half precision" in capsys.readouterr().err
        return
    there = runs("there", "tiny-llama", *chosen, half=half)
    replayed(there, "--verify")
    wanted = losses(runs("here", "tiny-llama", *TRAINED[trained], *CPU, half=half))
    assert losses(there) == pytest.approx(wanted, abs=0.02 if half else 1e-3)
    without_gpu()
    capsys.readouterr()
    replayed(there, "--verify")
    assert trained.endswith("backpropagation") or "2 of 2 recorded hashes" in capsys.readouterr().out


@pytest.mark.covering(1)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family(
    family: str, half: bool, place: str, runs: Callable[..., Run], without_gpu: Callable[[], None]
) -> None:
    need(place)
    there = runs("there", family, *PLACES[place], half=half)
    wanted = losses(runs("here", family, *CPU, half=half))
    assert losses(there) == pytest.approx(wanted, abs=0.02 if half else 1e-3)
    without_gpu()
    replayed(there, "--verify")


@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_was_stopped_goes_on(place: str, runs: Callable[..., Run]) -> None:
    need(place)
    whole = runs("whole", "tiny-llama", *PLACES[place])
    half = runs("half", "tiny-llama", *PLACES[place], "federate.total_round_num", "1")
    assert resume(half, "federate.total_round_num", "2").ledger_bytes() == whole.ledger_bytes()
