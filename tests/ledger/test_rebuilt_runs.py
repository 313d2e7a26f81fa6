"""docs/ledger-format.md says enough: a reader written from it rebuilds runs bit for bit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from fedmezo.main import main
from fedmezo.models.hubs import load_base_model
from tests import ledger_reader, numpy_replay
from tests.ledger.test_format import assert_both_read_the_same
from tests.ledger.vectors import bits_of

Write = Callable[..., Path]


@dataclass(frozen=True)
class Finished:
    """A finished run: its folder's files, read by nothing of the package."""

    folder: Path

    def reading(self) -> ledger_reader.Reading:
        data = (self.folder / "ledger.bin").read_bytes()
        assert_both_read_the_same(data)
        found = ledger_reader.read(data)
        assert (found.fault, found.offset) == ("", len(data))
        return found

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the adapter's tensors in flat order."""
        return dict(sorted(load_file(self.folder / "adapter" / "adapter_model.safetensors").items()))

    def layout(self) -> dict[str, tuple[int, ...]]:
        return {name: tensor.shape for name, tensor in self.tensors().items()}

    def saved(self) -> bytes:
        return flat(self.tensors()).tobytes()


def flat(tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([tensor.reshape(-1) for tensor in tensors.values()])


def run_of(path: Path, *overrides: str, name: str = "run") -> Finished:
    assert main(["--cfg", str(path), "expname", name, *overrides]) == 0
    return Finished(path.parent / "runs" / name)


def assert_rebuilt(run: Finished, start: np.ndarray) -> ledger_reader.Reading:
    """Make sure that the ledger leads from a start to the saved adapter, and through every recorded hash."""
    found, layout = run.reading(), run.layout()
    header, *entries = found.records
    assert start.dtype in (np.float32, np.uint16) and header["size"] == len(start)
    assert header["hashes"]["configuration"] == ledger_reader.hash16(header["text"])
    assert header["hashes"]["initial"] == ledger_reader.hash16(start.tobytes())
    point, hashes = start, 0
    for row in entries:
        if row["kind"] == "round":
            point = numpy_replay.replay(point, [row], header["configuration"], layout)
        elif row["kind"] == "hash":
            assert row["digest"] == ledger_reader.hash16(point.tobytes())
            hashes += 1
    assert point.dtype == start.dtype and point.tobytes() != start.tobytes() and hashes > 0
    assert point.tobytes() == run.saved()
    return found


def initial(run: Finished) -> np.ndarray:
    """Return the start of a run with a LoRA adapter, from its seed alone."""
    seed = run.reading().records[0]["configuration"]["seed"]
    return numpy_replay.initial(seed, run.layout())


SHORT = ("train.local_update_steps", "3", "federate.total_round_num", "2", "federate.hash_freq", "1", "seed", "7")


@pytest.mark.covering(2)
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("directions", ["private", "shared"])
@pytest.mark.parametrize("weight_decay", ["0", "0.1"])
def test_numpy_rebuilds_a_run_bit_for_bit(
    tiny_yaml: Write, weight_decay: str, directions: str, distribution: str
) -> None:
    chosen = ("zo.directions", directions, "zo.distribution", distribution, "zo.queries", "2")
    run = run_of(tiny_yaml(), *SHORT, *chosen, "train.optimizer.weight_decay", weight_decay)
    rounds = assert_rebuilt(run, initial(run)).rounds()
    shapes = [[client["gradients"].shape for client in row["clients"]] for row in rounds]
    assert shapes == [[(3, 2)] * 3] * 2
    configuration = run.reading().records[0]["configuration"]
    assert (configuration["zo.directions"], configuration["zo.distribution"]) == (directions, distribution)
    assert configuration["train.optimizer.weight_decay"] == float(weight_decay)


def test_numpy_rebuilds_30_steps_of_3_clients_bit_for_bit(tiny_yaml: Write) -> None:
    run = run_of(tiny_yaml(), *SHORT, "train.local_update_steps", "30", "seed", "8")
    rounds = assert_rebuilt(run, initial(run)).rounds()
    assert [[len(client["gradients"]) for client in row["clients"]] for row in rounds] == [[30] * 3] * 2


@pytest.mark.parametrize("weight_decay", ["0", "0.1"])
def test_numpy_rebuilds_a_run_with_scales_and_a_seed_of_its_directions(tiny_yaml: Write, weight_decay: str) -> None:
    scales = [{"name": "lora_A", "scale": 0.3}, {"name": "layers.1.", "scale": 7.0}]
    path = tiny_yaml(zo={"mu": 0.005, "scales": scales, "seed": 99, "queries": 2})
    run = run_of(path, *SHORT, "train.optimizer.weight_decay", weight_decay)
    found = assert_rebuilt(run, initial(run))
    assert found.records[0]["configuration"]["zo.scales"] == scales


def test_numpy_rebuilds_unequal_weights_and_rates_and_absent_clients(tiny_yaml: Write) -> None:
    path = tiny_yaml(federate={"client_num": 5, "sample_client_num": 2, "weight_by": "dataset"})
    chosen = ("train.train_strategy", "random", "train.lr_half_width", "0.005", "train.optimizer.weight_decay", "0.1")
    run = run_of(path, *SHORT, *chosen, "federate.total_round_num", "4")
    rounds = assert_rebuilt(run, initial(run)).rounds()
    clients = [client for row in rounds for client in row["clients"]]
    assert len({client["client"] for client in clients}) > 2 and len({row["learning_rate"] for row in clients}) > 2
    assert any(client["weight"] != client["examples"] for client in clients)


def test_numpy_rebuilds_parameters_with_and_without_decay(tiny_yaml: Write) -> None:
    """DoRA's magnitudes have one dimension and do not decay. They start from the model: here from a saved adapter."""
    adapter = {"adapter_package": "peft", "adapter_method": "lora", "r": 4, "use_dora": True}
    path = tiny_yaml(llm={"tok_len": 420, "adapter": {"args": [adapter]}})
    before = run_of(path, *SHORT, name="before")
    restored = ("federate.restore_from", str(before.folder / "adapter"), "train.optimizer.weight_decay", "0.1")
    run = run_of(path, *SHORT, *restored, "zo.queries", "2")
    assert {len(shape) for shape in run.layout().values()} == {1, 2}
    assert_rebuilt(run, flat(before.tensors()))


def test_the_layouts_hash_is_that_of_names_and_shapes(tiny_yaml: Write) -> None:
    run = run_of(tiny_yaml(), *SHORT)
    names = {name.replace(".weight", ".default.weight"): shape for name, shape in run.layout().items()}
    layout = "\n".join(f"{name} {tuple(shape)}" for name, shape in names.items())
    assert run.reading().records[0]["hashes"]["parameters"] == ledger_reader.hash16(layout.encode())


class Whole(Finished):
    """A finished run of all parameters in half precision."""

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the model's tensors in flat order, as the bits of bf16."""
        with safe_open(self.folder / "adapter" / "model.safetensors", framework="pt") as file:
            found = {name: file.get_tensor(name) for name in sorted(file.keys())}
        assert {tensor.dtype for tensor in found.values()} == {torch.bfloat16}
        return {name: bits_of(tensor).reshape(tensor.shape) for name, tensor in found.items()}


@pytest.mark.covering(1)
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("weight_decay", ["0", "0.1"])
def test_numpy_rebuilds_all_parameters_in_half_precision(
    tiny_yaml: Write, weight_decay: str, distribution: str
) -> None:
    whole = ("llm.adapter.use", "False", "train.is_enable_half", "True", "zo.distribution", distribution)
    path = tiny_yaml(zo={"mu": 0.005, "queries": 2, "seed": 99}, train={"optimizer": {"lr": 0.001}})
    run = Whole(run_of(path, *SHORT, *whole, "train.optimizer.weight_decay", weight_decay).folder)
    base = load_base_model("tiny-llama@random_llm", dtype=torch.bfloat16, cache=path.parent).model
    start = {name: bits_of(parameter) for name, parameter in sorted(base.named_parameters())}
    assert list(start) == list(run.tensors())
    assert_rebuilt(run, flat(start))


@pytest.mark.parametrize("trainer", ["mezotrainer", "llmtrainer"])
def test_a_snapshot_names_its_place_in_the_chain(tiny_yaml: Write, trainer: str) -> None:
    run = run_of(tiny_yaml(), *SHORT, "trainer.type", trainer)
    rounds = run.reading().rounds()
    path = run.folder / "snapshots" / "000002.safetensors"
    with safe_open(path, framework="np") as file:
        metadata, parameters = file.metadata(), file.get_tensor("parameters")
    digest = ledger_reader.hash16(parameters.tobytes())
    assert metadata == {"chain": rounds[1]["chain"].hex(), "parameters": digest.hex()}
    assert parameters.tobytes() == run.saved()
    assert rounds[1]["digest"] == (None if trainer == "mezotrainer" else digest)
