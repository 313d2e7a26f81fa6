"""Whole runs that train all parameters in half precision: the weights are their own masters."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.core import directions
from fedmezo.core.directions import numba_kernel
from fedmezo.generate import main as generate
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.main import main
from fedmezo.models.hashing import point_hash
from fedmezo.replay import main as replay
from fedmezo.zeroth_order.replay import MovingPrefix
from tests import numpy_replay
from tests.test_main import Run, resume, train

Write = Callable[..., Path]
HALF = ("llm.adapter.use", "False", "train.is_enable_half", "True", "train.optimizer.lr", "0.001")
HASHED = ("federate.hash_freq", "1", "federate.save_freq", "2")


def weights(folder: Path) -> dict[str, bytes]:
    """Return a saved model's tensors, which are all bf16."""
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    assert {tensor.dtype for tensor in found.values()} == {torch.bfloat16}
    return {name: tensor.view(torch.int16).numpy().tobytes() for name, tensor in found.items()}


def same(first: Run, second: Run) -> bool:
    return (
        weights(first.folder / "adapter") == weights(second.folder / "adapter")
        and first.timeless() == second.timeless()
        and first.ledger_bytes() == second.ledger_bytes()
    )


@pytest.mark.parametrize("estimator", ["central", pytest.param("one-sided", marks=pytest.mark.full)])
def test_a_run_is_reproduced_resumed_and_replayed(
    tiny_yaml: Write, estimator: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = (*HALF, *HASHED, "zo.estimator", estimator, "zo.queries", "2", "federate.client_num", "2")
    whole = train(tiny_yaml(), "whole", *chosen)
    assert "rounding noise" not in capsys.readouterr().err
    assert same(whole, train(tiny_yaml(), "again", *chosen))
    part = train(tiny_yaml(), "part", *chosen, "federate.total_round_num", "2")
    resumed = resume(part, "federate.total_round_num", "4")
    assert weights(whole.folder / "adapter") == weights(resumed.folder / "adapter")
    assert whole.timeless() == resumed.timeless()
    assert whole.ledger().hashes() == resumed.ledger().hashes()
    for removed in (False, True):
        if removed:
            shutil.rmtree(resumed.folder / "snapshots")
        capsys.readouterr()
        assert replay([str(resumed.folder), "--verify"]) == 0
        said = capsys.readouterr().out
        assert "4 of 4 recorded hashes" in said and "holds the same bytes" in said


def test_the_loss_falls(tiny_yaml: Write) -> None:
    longer = ("federate.total_round_num", "8", "train.local_update_steps", "5", "eval.freq", "8")
    change = train(tiny_yaml(), "run", *HALF, *longer).summary()["losses"]["test"]
    assert change["change"] < -5 * change["standard_error"]


@pytest.mark.covering(1)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("compiled", [True, False])
def test_neither_threads_nor_the_kernel_change_what_scalars_lead_to(
    tiny_yaml: Write, threads: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tiny_yaml(), "run", *HALF, *HASHED, "federate.total_round_num", "2")
    if not compiled:
        monkeypatch.setattr(directions, "numba_kernel", None)
    monkeypatch.setattr(numba_kernel, "_SMALLEST_SHARE", 1000)  # the model is small: else there is one thread
    cfg = config.load(tiny_yaml(), [*HALF, "engine.threads", str(threads)])
    server = assemble_federation(cfg, assemble_learning_task(cfg)).server
    server.restore(Store(run.ledger(), Snapshots(run.folder / "none"), 0))  # compares the hash of every round
    assert server.parameters.dtype == torch.bfloat16 and server.rounds_done == 2


def test_a_clients_steps_are_reproduced_and_leave_the_point(tiny_yaml: Write) -> None:
    cfg = config.load(tiny_yaml(), [*HALF])
    learning_task = assemble_learning_task(cfg)
    federation, before = assemble_federation(cfg, learning_task), point_hash(learning_task.start)
    task = federation.server.plan(0).tasks[1]
    messages = [bytes(federation.executor(task, learning_task.start).message) for _ in range(2)]
    assert messages[0] == messages[1] and point_hash(learning_task.start) == before
    assert learning_task.scorer.in_place and learning_task.start is learning_task.parameters.buffer


def test_a_client_moves_as_its_scalars_and_the_seed_say(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spelled out in numpy: each step rounds by a stream of its own, named by round, client and step."""
    cfg = config.load(tiny_yaml(), [*HALF, "seed", "5"])
    learning_task = assemble_learning_task(cfg)
    federation = assemble_federation(cfg, learning_task)
    seen: list[tuple[float, np.ndarray]] = []
    append = MovingPrefix.append

    def noting(self: MovingPrefix, gradients: Sequence[float]) -> None:
        append(self, gradients)
        seen.append((float(self.gradients[-1, 0]), bits_of(self.point)))

    monkeypatch.setattr(MovingPrefix, "append", noting)
    start = bits_of(learning_task.start)
    for client in (0, 2):
        point, seen[:] = start, []
        federation.executor(federation.server.plan(0).tasks[client], learning_task.start)
        assert len(seen) == 2
        for step, (gradient, found) in enumerate(seen):
            z = numpy_replay.gaussian(numpy_replay.key(5, "direction", 0, client, step, 0), len(point))
            moved = numpy_replay.widened(point) + np.float32(-0.001 * gradient) * z
            point = numpy_replay.halved(moved, numpy_replay.key(5, "rounding", 0, client, step))
            assert np.array_equal(found, point)


def bits_of(half: torch.Tensor) -> np.ndarray:
    return half.cpu().view(torch.int16).numpy().view(np.uint16).copy()


def test_what_is_saved_is_a_model_to_go_on_from(
    tiny_yaml: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny_yaml()
    first = train(base, "first", *HALF)
    assert replay([str(first.folder), "--export", "merged", "--to", str(tmp_path / "merged")]) == 0
    assert weights(tmp_path / "merged") == weights(first.folder / "adapter")
    settings = json.loads((tmp_path / "merged" / "config.json").read_text(encoding="utf-8"))
    assert settings["dtype"] == "bfloat16"
    capsys.readouterr()
    assert generate([str(first.folder), "--prompt", "What is 1 + 1?", "--max-tokens", "3"]) == 0
    assert main(["--cfg", str(base), *HALF, "federate.restore_from", str(first.folder / "adapter")]) == 3
    assert "for a model: model.type" in capsys.readouterr().err


def test_rounding_does_not_drown_update_distances(tiny_yaml: Write) -> None:
    chosen = ("train.train_strategy", "model-diff", "train.lr_half_width", "0.0005")
    found = []
    for half in ("True", "False"):
        run = train(tiny_yaml(), f"half{half}", *HALF, *chosen, "train.is_enable_half", half)
        found.append([client.update_distance for record in run.ledger().rounds() for client in record.clients])
    assert all(distance and distance > 0 for distance in found[0])
    assert found[0][:3] == pytest.approx(found[1][:3], rel=0.05)  # of the first round, from about the same start


def test_check_measures_it(tiny_yaml: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cfg", str(tiny_yaml()), *HALF, "--check", "--fidelity", "20"]) == 0
    said = capsys.readouterr().out
    assert "35,168 of them trained" in said and "bfloat16" in said and "70.4 kB up" in said
    assert float(said.split("gradient fidelity: ")[1].split()[0]) > 0.98


def test_several_devices_are_refused(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedmezo.zeroth_order.scoring.layerwise.obstacle", lambda *_: "the model spans several devices")
    assert main(["--cfg", str(tiny_yaml()), *HALF]) == 2


def test_float16_is_refused(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fedmezo.assembly.model.base_dtype", lambda *_: torch.float16)
    assert main(["--cfg", str(tiny_yaml()), *HALF]) == 2
    assert "float16: trainable parameters must be float32, or all of them bfloat16" in capsys.readouterr().err
