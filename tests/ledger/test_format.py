"""docs/ledger-format.md says enough: a reader written from it sees the same, and rebuilds runs bit for bit.

The test vectors in the document are printed by ``python -m tests.ledger.test_format``.
"""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

from fedmezo.errors import MalformedError
from fedmezo.federation.aggregation import ScalarAggregation, Weighting
from fedmezo.federation.client import DirectionKeys
from fedmezo.ledger.chain import PREAMBLE, Found, first_chain, sealed, walk
from fedmezo.ledger.codec import HASHES, configuration_text, pack
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import (
    ClientRecord,
    EvaluationRecord,
    HashRecord,
    Header,
    Record,
    Rejection,
    RoundRecord,
    StopRecord,
)
from fedmezo.main import main
from fedmezo.models.flat import point_digest
from fedmezo.models.hubs import load_base_model
from fedmezo.zeroth_order.directions.scaled import Directions
from fedmezo.zeroth_order.replay import Replay
from tests import ledger_reader, numpy_replay
from tests.ledger.test_codec import SLOW, exactly, flipped, ledger_bytes, mutated, records, runs

Write = Callable[..., Path]
Row = dict[str, Any]
DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger-format.md"


# ---- both readers see the same


def as_row(record: Record) -> Row:
    """Return what the second reader is to find, bit for bit."""
    found = dict(vars(record))
    match record:
        case Header():
            return {"kind": "header", **found, "text": configuration_text(record.configuration).encode()}
        case RoundRecord():
            clients = [vars(client) | {"seconds": 0.0} for client in record.clients]
            rejected = [vars(rejection) for rejection in record.rejected]
            row = {"kind": "round", "round": record.round_index, "rounds_done": record.rounds_done}
            return row | {"digest": record.digest, "clients": clients, "rejected": rejected}
        case EvaluationRecord():
            return {"kind": "evaluation", **found}
        case HashRecord():
            return {"kind": "hash", **found}
        case StopRecord():
            return {"kind": "stop", **found}


def as_read(row: Row) -> Row:
    """Return a row of the second reader without what is no part of its record."""
    found = {name: value for name, value in row.items() if name not in ("end", "chain")}
    if found["kind"] == "round":
        found["clients"] = [client | {"seconds": 0.0} for client in found["clients"]]
    return found


def comparable(row: Row) -> object:
    """Return a row in which floats are bytes; the order of its names means nothing, that of its lists does."""
    return exactly(_sorted(row))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def walked(data: bytes) -> Found:
    try:
        return walk(data)
    except MalformedError as error:
        return Found((), len(data), str(error))


def assert_both_read_the_same(data: bytes) -> int:
    """Make sure that both readers find the same records, and a fault or none; return how many."""
    ours, theirs = walked(data), ledger_reader.read(data)
    assert bool(ours.fault) is bool(theirs.fault), (ours.fault, theirs.fault)
    assert [(link.end, link.chain) for link in ours.links] == [(row["end"], row["chain"]) for row in theirs.records]
    for link, row in zip(ours.links, theirs.records, strict=True):
        assert comparable(as_row(link.record)) == comparable(as_read(row))
    whole = len(PREAMBLE) if data.startswith(PREAMBLE) else 0
    assert theirs.offset == max(ours.end, whole)
    return len(ours.links)


@settings(SLOW, max_examples=100)
@given(runs())
def test_the_second_reader_sees_what_was_recorded(run: list[Record]) -> None:
    data = ledger_bytes(run)
    found = ledger_reader.read(data)
    assert (found.fault, found.offset) == ("", len(data))
    assert [comparable(as_read(row)) for row in found.records] == [comparable(as_row(record)) for record in run]
    assert assert_both_read_the_same(data) == len(run)


@settings(SLOW, max_examples=40)
@given(run=runs())
def test_the_second_reader_sees_what_a_ledger_writes(
    tmp_path_factory: pytest.TempPathFactory, run: list[Record]
) -> None:
    header, *entries = run
    assert isinstance(header, Header)
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.bin")
    ledger.begin(header)
    for record in entries:
        ledger.append(record)
    data = ledger.path.read_bytes()
    assert data == ledger_bytes(run) and assert_both_read_the_same(data) == len(run)


@settings(SLOW, max_examples=200)
@given(st.data())
def test_both_readers_stop_at_the_same_fault(data: st.DataObject) -> None:
    assert_both_read_the_same(data.draw(mutated(ledger_bytes(data.draw(runs())))))


@settings(SLOW, max_examples=500)
@given(st.data())
def test_both_readers_take_the_same_bodies_for_records(data: st.DataObject) -> None:
    """Bodies that have been changed and sealed again: neither checksum nor chain gives them away."""
    kind, body = pack(data.draw(records()))
    changed = data.draw(mutated(body))
    _compare_bodies(kind, changed)


@settings(SLOW, max_examples=20)
@given(records())
def test_both_readers_take_the_same_bodies_for_records_whatever_bit_is_flipped(record: Record) -> None:
    kind, body = pack(record)
    for bit in range(min(8 * len(body), 1000)):
        _compare_bodies(kind, flipped(body, bit))


def _compare_bodies(kind: int, body: bytes) -> None:
    """Read a body as the first record, or the first one after a header, and after the round that it says it is of."""
    start = b"" if kind == 1 else _frame(1, pack(_plain_header())[1], first_chain())
    chain = first_chain() if kind == 1 else start[-16:]
    assert_both_read_the_same(PREAMBLE + start + _frame(kind, _at_the_beginning(kind, body), chain))


def _at_the_beginning(kind: int, body: bytes) -> bytes:
    """Return a body with the number of rounds that is expected after a header."""
    if kind == 1 or not body:
        return body
    end = next((at for at, byte in enumerate(body) if byte < 128), len(body) - 1)
    return bytes(1) + body[end + 1 :]


def _frame(kind: int, body: bytes, chain: bytes) -> bytes:
    covered = len(body).to_bytes(4, "little") + bytes([kind]) + body
    return covered + zlib.crc32(covered).to_bytes(4, "little") + ledger_reader.hash16(chain + covered)


def _plain_header() -> Header:
    return Header(dict.fromkeys(HASHES, bytes(16)), 1, {})


# ---- the document's vectors

LAYOUT = {"layer.bias": (2,), "layer.weight": (2, 2)}
CONFIGURATION: Row = {
    "seed": 7,
    "train.optimizer.weight_decay": 0.5,
    "zo.directions": "private",
    "zo.distribution": "gaussian",
    "zo.queries": 1,
    "zo.scales": [{"name": "bias", "scale": 0.1}],
    "zo.seed": None,
}
START = np.array([1.0, -1.0, 0.5, -0.5, 0.25, 0.0], dtype=np.float32)
REPLAY = Replay(
    ((0, 2, False), (2, 6, True)),
    CONFIGURATION["train.optimizer.weight_decay"],
    Directions("gaussian", ((0, 2, 0.1), (2, 6, 1.0))),
)


@dataclass(frozen=True)
class Vector:
    """The minimal ledger of the document, and what it leads to."""

    records: list[Record]
    after: np.ndarray
    half: np.ndarray

    def frames(self) -> list[bytes]:
        chain, found = first_chain(), []
        for record in self.records:
            frame, chain = sealed(record, chain)
            found.append(frame)
        return found

    def text(self) -> str:
        """Return it as the document says it: a line for each part."""
        parts = {"preamble": PREAMBLE, "first chain": first_chain(), "start": START.tobytes()}
        parts |= dict(zip(("header", "round", "hash"), self.frames(), strict=True))
        parts |= {"after": self.after.tobytes(), "after in bf16": self.half.tobytes()}
        return "".join(f"{name}\n{_lines(value.hex())}" for name, value in parts.items())


def bits_of(half: torch.Tensor) -> np.ndarray:
    """Return the bits of bf16, uint16."""
    return half.detach().reshape(-1).view(torch.int16).numpy().view(np.uint16)


def _lines(digits: str) -> str:
    return "".join(f"    {digits[start : start + 96]}\n" for start in range(0, len(digits), 96))


def vector() -> Vector:
    """Return the minimal ledger: a header, a round of two clients, and the hash of the parameters after it."""
    layout = "\n".join(f"{name} {shape}" for name, shape in LAYOUT.items())
    hashes = dict.fromkeys(HASHES, bytes(16)) | {
        "configuration": ledger_reader.hash16(configuration_text(CONFIGURATION).encode()),
        "parameters": ledger_reader.hash16(layout.encode()),
        "initial": ledger_reader.hash16(START.tobytes()),
    }
    gradients = [np.array([[2.0], [0.0]], dtype=np.float32), np.array([[-0.75]], dtype=np.float32)]
    failed = np.array([[False], [True]])
    clients = (
        ClientRecord(0, 0.125, 2, 1, 1.5, 1, gradients=gradients[0], failed=failed),
        ClientRecord(2, 0.1, 3, 3, math.nan, gradients=gradients[1]),
    )
    record = RoundRecord(0, clients, (Rejection(1, "a value that is not finite"),))
    seed = CONFIGURATION["seed"]
    aggregation = ScalarAggregation(REPLAY, DirectionKeys(seed), Weighting([1, 1, 3]), seed=seed)
    after = aggregation.apply(record, torch.from_numpy(START.copy()))
    half = aggregation.apply(record, torch.from_numpy(START).bfloat16())
    header = Header(hashes, len(START), CONFIGURATION)
    return Vector([header, record, HashRecord(1, point_digest(after))], after.numpy(), bits_of(half))


def documented() -> dict[str, bytes]:
    """Return the vectors as the document says them."""
    block = DOCUMENT.read_text(encoding="utf-8").split("```vectors\n")[1].split("```")[0]
    found: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith(" "):
            found[name] += line.strip()
        else:
            name = line
            found[name] = ""
    return {name: bytes.fromhex(digits) for name, digits in found.items()}


def documented_ledger() -> bytes:
    parts = documented()
    return b"".join(parts[name] for name in ("preamble", "header", "round", "hash"))


def test_the_documents_vectors_are_those_of_the_code() -> None:
    assert f"```vectors\n{vector().text()}```" in DOCUMENT.read_text(encoding="utf-8")


def test_both_readers_decode_the_documents_vectors() -> None:
    data = documented_ledger()
    assert assert_both_read_the_same(data) == 3
    expected = [comparable(as_row(record)) for record in vector().records]
    assert [comparable(as_read(row)) for row in ledger_reader.read(data).records] == expected
    assert [comparable(as_row(link.record)) for link in walk(data).links] == expected
    assert documented()["first chain"] == ledger_reader.hash16(documented()["preamble"])
    assert f"`{documented()['first chain'].hex()}`" in DOCUMENT.read_text(encoding="utf-8")


def test_the_checksum_is_that_of_the_documents_polynomial() -> None:
    for frame in vector().frames():
        found = 0xFFFFFFFF
        for byte in frame[:-20]:
            found ^= byte
            for _ in range(8):
                found = found >> 1 ^ (0xEDB88320 if found & 1 else 0)
        assert (found ^ 0xFFFFFFFF).to_bytes(4, "little") == frame[-20:-16]


def test_numpy_rebuilds_the_documents_parameters() -> None:
    parts = documented()
    header, row, last = ledger_reader.read(documented_ledger()).records
    start = np.frombuffer(parts["start"], dtype="<f4")
    after = numpy_replay.replay(start, [row], header["configuration"], LAYOUT)
    assert after.tobytes() == parts["after"] and last["digest"] == ledger_reader.hash16(parts["after"])
    assert header["hashes"]["initial"] == ledger_reader.hash16(parts["start"])
    cut_off = (start.view(np.uint32) >> np.uint32(16)).astype(np.uint16)  # exactly the same values
    half = numpy_replay.replay(cut_off, [row], header["configuration"], LAYOUT)
    assert half.tobytes() == parts["after in bf16"]


# ---- whole runs


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


if __name__ == "__main__":
    print(vector().text(), end="")
