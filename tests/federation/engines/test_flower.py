"""One algorithm, three places to run it: the same bits in one process, in Flower's simulation, and in a deployment."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmezo.replay import main as replay
from tests.federation.engines.loopback import Loopback
from tests.test_interruption import wait_for
from tests.test_main import Run, resume, train

Write = Callable[..., Path]
pytestmark = pytest.mark.timeout(900)  # processes that import torch, beside other tests
SCALARS: dict[str, Any] = {}
BLOCKS: dict[str, Any] = {  # with the rate from the curvature
    "train": {"optimizer": {"lr": "auto"}},
    "zo": {"blocks": 2, "queries": 2, "estimator": "one-sided"},
    "llm": {"adapter": {"args": [{"adapter_method": "lora", "r": 4, "freeze_a": True}]}},
}
WEIGHTS: dict[str, Any] = {"trainer": {"type": "llmtrainer"}}


def same_bits(run: Run, other: Run) -> None:
    assert run.adapter_bytes() == other.adapter_bytes()
    assert run.ledger_bytes() == other.ledger_bytes()
    assert run.timeless() == other.timeless()


@pytest.mark.full
@pytest.mark.parametrize(("sections", "workers"), [(SCALARS, 1), (SCALARS, 2), (BLOCKS, 2), (WEIGHTS, 2)])
def test_simulation(sections: dict[str, Any], workers: int, tiny_yaml: Write) -> None:
    """In a process of its own, as Ray leaves threads and variables behind."""
    path = tiny_yaml(**sections)
    local = train(path, "local")
    options = ["engine.type", "flower_simulation", "engine.workers", str(workers), "expname", "simulated"]
    found = subprocess.run(
        [sys.executable, "-m", "fedmezo.main", "--cfg", str(path), *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    same_bits(Run(local.folder.parent / "simulated"), local)
    assert "Traceback" not in found.stderr and "deprecated" not in found.stderr, found.stderr


@pytest.mark.full
def test_a_simulation_that_is_told_to_stop_finishes_its_round_and_goes_on_to_the_same_bits(tiny_yaml: Write) -> None:
    """Ray's processes, too, are told, as by timeout(1) and schedulers, and Ray has a handler of its own that aborts."""
    path = tiny_yaml(train={"local_update_steps": 20}, federate={"total_round_num": 50, "save_freq": 1})
    options = ["engine.type", "flower_simulation", "engine.workers", "1", "expname", "stopped"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fedmezo.main", "--cfg", str(path), *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    folder = path.parent / "runs" / "stopped"
    wait_for('"round": 0', folder / "metrics.jsonl", seconds=600)
    os.killpg(process.pid, signal.SIGTERM)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 130, error
    assert "SIGTERM received" not in error and "Traceback" not in error and "--resume" in error
    done = len(Run(folder).rows())
    assert 1 <= done < 50 and (folder / "adapter" / "adapter_model.safetensors").is_file()
    more = ("federate.total_round_num", str(done + 1))
    same_bits(resume(Run(folder), *more, "engine.type", "local"), train(path, "local", *more))


@pytest.mark.full
@pytest.mark.parametrize("sections", [SCALARS, BLOCKS, WEIGHTS])
def test_deployment(sections: dict[str, Any], tiny_yaml: Write, tmp_path: Path) -> None:
    path = tiny_yaml(**sections)
    local = train(path, "local")
    with Loopback(tmp_path, path) as deployment:
        deployment.superlink()
        for client in (2, 0, 1):
            deployment.node(client)
        deployment.start("server", deployment.server_command("expname", "deployed"))
        assert deployment.processes["server"].wait(600) == 0, deployment.log("server")
        for client in range(3):
            deployment.kill(f"node{client}", 15)
            assert deployment.log(f"node{client}").endswith("left\n")
    run = Run(tmp_path / "runs" / "deployed")
    same_bits(run, local)
    assert replay([str(run.folder), "--verify"]) == 0


def test_flower_is_what_we_use_of_it() -> None:
    """Every name of Flower's that the engines use is imported here too: an upgrade that lacks one fails in CI."""
    for name in ("flower", "flower_node", "flower_server"):
        importlib.import_module(f"fedmezo.federation.engines.{name}")
    from flwr.simulation import run_simulation
    from flwr.superlink.grid.http_grid import HttpGrid

    assert callable(run_simulation)
    assert isinstance(HttpGrid._runtime_client, property)
