"""What all tests share: a tiny task, its configuration, and a closed network."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import settings
from yacs.config import CfgNode

from fedmezo import config
from fedmezo.core.extensions import PREFIX
from fedmezo.core.registry import Registry
from fedmezo.core.signals import STOPPING
from tests.covering import covering, parameters
from tests.example_counts import ALL
from tests.processes import end_with_this_process

if TYPE_CHECKING:  # what hands out the tests would take seconds to import what they need
    from fedmezo.assembly import LearningTask

for number in STOPPING:  # as a shell's background jobs, and under nohup, programs are born with signals ignored
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a thread that waits leaves its core to the test beside it

settings.register_profile("untimed", deadline=None)  # another process may take the time
settings.load_profile("untimed")

end_with_this_process()

WORD_PROBLEMS = {"steps": 0, "prompt": "alpaca"}  # for data: ten times as long as the sums
REPOSITORY = Path(__file__).parents[1]
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TINY: dict[str, Any] = {
    "model": {"type": "tiny-llama@random_llm"},
    "data": {"type": "arithmetic@llm", "num_examples": 60, "steps": 1, "prompt": "plain", "splits": [0.8, 0.1, 0.1]},
    "llm": {"tok_len": 420, "adapter": {"args": [{"adapter_package": "peft", "adapter_method": "lora", "r": 4}]}},
    "dataloader": {"batch_size": 2},
    "federate": {"client_num": 3, "total_round_num": 4},
    "train": {"local_update_steps": 2, "optimizer": {"lr": 0.01}},
    "eval": {"freq": 2},
    "zo": {"mu": 0.005},
    "engine": {"threads": 1},
}


def pytest_configure(config: pytest.Config) -> None:
    """Have hypothesis try all examples where no test is left out."""
    if not config.option.markexpr:
        os.environ[ALL] = "1"


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test of this process reach anything but this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise OSError(f"the tests' network is closed: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests run side by side, one process a core."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep the user's cache out of the tests, but for those of real models: they find them there."""
    if any(map(request.node.get_closest_marker, ("smollm2", "gemma"))):
        return
    monkeypatch.setenv("FEDMEZO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session", autouse=True)
def quick_runs() -> Iterator[Callable[[pytest.MonkeyPatch], None]]:
    """Have runs neither draw nor wait for the disk: either takes as long as a tiny run. Return what has them draw."""
    from fedmezo.reporting import partition_plot
    from fedmezo.reporting.callbacks.loss_plot import LossPlot

    def draw(patch: pytest.MonkeyPatch) -> None:
        for owner, drawn in originals.items():
            patch.setattr(owner, "_draw", drawn)

    originals = {owner: vars(owner)["_draw"] for owner in (partition_plot, LossPlot)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)  # no test lives through a power cut
        patch.setattr(partition_plot, "_draw", lambda path, *data: path.touch())
        patch.setattr(LossPlot, "_draw", lambda plot: plot.path.touch())
        yield draw


@pytest.fixture(autouse=True)
def pictures(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    quick_runs: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Draw the pictures of runs where a test looks at them."""
    if request.node.get_closest_marker("pictures"):
        quick_runs(monkeypatch)


@pytest.fixture
def nothing_of_users_stays() -> Iterator[None]:
    """Forget what was registered from outside the package."""
    yield
    forget_users_code()


def forget_users_code() -> None:
    """Take what was registered from outside the package out of the registries."""
    found = [vars(module).get("registry") for module in list(sys.modules.values())]
    for registry in [each for each in found if isinstance(each, Registry)]:
        for name in registry._entries.keys() - registry.names().keys():
            del registry._entries[name]
    for name in [name for name in sys.modules if name.startswith(PREFIX)]:
        del sys.modules[name]


def write_tiny(folder: Path, **sections: Any) -> Path:
    """Write the tiny configuration into a folder, with sections updated by keyword, and return its path."""
    content: dict[str, Any] = {"outdir": str(folder / "runs")} | {key: dict(value) for key, value in TINY.items()}
    for name, section in sections.items():
        content[name] = content.get(name, {}) | section if isinstance(section, dict) else section
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def tiny_yaml(tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny configuration, with sections updated by keyword, and return its path."""
    return partial(write_tiny, tmp_path)


@pytest.fixture
def tiny_cfg(tiny_yaml: Callable[..., Path]) -> CfgNode:
    """Return the tiny configuration, checked."""
    return config.load(tiny_yaml())


@pytest.fixture
def tiny_task(tiny_cfg: CfgNode) -> "LearningTask":
    """Return the tiny model with its adapter, and its data."""
    from fedmezo.assembly import assemble_learning_task

    return assemble_learning_task(tiny_cfg)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run of the tiny configuration, trained once: for copies of it."""
    from fedmezo.main import main

    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDMEZO_CACHE", str(folder / "cache"))
        assert main(["--cfg", str(write_tiny(folder)), "expname", "run"]) == 0
    return folder / "runs" / "run"


@pytest.fixture
def tiny_run(finished_run: Path, tmp_path: Path) -> Path:
    """Return a finished run's folder that belongs to one test, which may damage it or go on with it."""
    return shutil.copytree(finished_run, tmp_path / "runs" / "run")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what of matrices is ``full``, and skip what needs a GPU that is not there."""
    _mark_full(items)
    _skip_without_gpu([item for item in items if item.get_closest_marker("gpu")])


def _skip_without_gpu(items: list[pytest.Item]) -> None:
    if not items:
        return
    import torch

    from tests.gpu_standin.device import is_there

    for item in items:
        if not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device; tests/gpu_standin has it run on a stand-in"))
        elif item.get_closest_marker("standin") and not is_there():
            item.add_marker(pytest.mark.skip(reason="it counts, which the stand-in for a CUDA device does"))


def _mark_full(items: list[pytest.Item]) -> None:
    """Leave of the matrices that are marked ``covering`` the cases of a covering array; the others are ``full``."""
    matrices: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("covering"):
            matrices.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in matrices.values():
        mark = cases[0].get_closest_marker("covering")
        assert mark is not None
        rows = [parameters(case.callspec.params) for case in cases]
        for number in set(range(len(cases))) - set(covering(rows, *mark.args)):
            cases[number].add_marker("full")
