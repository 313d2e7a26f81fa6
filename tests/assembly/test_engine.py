"""What workers of a simulation are given."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.assembly.engine import gpus_of_worker, worker_changes
from fedmezo.federation.engines.flower import FlowerSimulation

Write = Callable[..., Path]
SIMULATION = ("engine.type", "flower_simulation")


def asked_of_ray(path: Path, *overrides: str) -> float:
    """Return the GPUs that Ray is asked for, for each worker."""
    cfg = config.load(path, [*SIMULATION, *overrides])
    engine = assemble_federation(cfg, assemble_learning_task(cfg)).engine
    assert isinstance(engine, FlowerSimulation)
    return float(engine._backend["client_resources"]["num_gpus"])


def test_without_a_gpu_a_worker_is_on_the_cpu(tiny_yaml: Write) -> None:
    assert asked_of_ray(tiny_yaml(), "use_gpu", "False") == 0
    assert worker_changes(0.0)["device"] == -1


@pytest.mark.gpu
def test_a_worker_has_a_gpu_where_there_is_one(tiny_yaml: Write) -> None:
    assert asked_of_ray(tiny_yaml()) == 1
    assert asked_of_ray(tiny_yaml(), "device", "-1") == 0
    assert asked_of_ray(tiny_yaml(), "engine.gpus", "0.25") == 0.25


def test_a_worker_takes_the_gpu_that_it_is_given() -> None:
    """Ray shows it no other: it is the first one there, whatever the run's own is."""
    assert worker_changes(1.0)["device"] == worker_changes(0.5)["device"] == 0


def test_runs_of_before_have_their_workers_on_the_cpu(tiny_yaml: Write) -> None:
    """Their configuration says 0.0, the former default."""
    assert gpus_of_worker(config.load(tiny_yaml(), [*SIMULATION, "engine.gpus", "0.0"])) == 0
