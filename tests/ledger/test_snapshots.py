from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedmezo.core.errors import ResourceError
from fedmezo.ledger import snapshots as module
from fedmezo.ledger.snapshots import Snapshots
from tests.ledger.made import SIZE, parameters_after

CHAINS = {number: bytes([number]) * 16 for number in range(120)}


def written(folder: Path, *rounds: int) -> Snapshots:
    snapshots = Snapshots(folder / "snapshots")
    for number in rounds:
        snapshots.write(number, parameters_after(number), CHAINS[number])
    return snapshots


def names(snapshots: Snapshots) -> list[str]:
    return sorted(path.name for path in snapshots.folder.iterdir())


def loaded(snapshots: Snapshots, rounds_done: int, size: int) -> torch.Tensor | None:
    found = snapshots.load(rounds_done, size)
    return None if found is None else found[0]


def test_parameters_come_back_bit_for_bit(tmp_path: Path) -> None:
    parameters = torch.tensor([1.0, -0.0, torch.nan, torch.inf, 1e-45])
    snapshots = Snapshots(tmp_path)
    snapshots.write(5, parameters, b"c")
    found = loaded(snapshots, 5, 5)
    assert found is not None and torch.equal(found.view(torch.int32), parameters.view(torch.int32))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    assert names(written(tmp_path, 2, 10, 100)) == ["000010.safetensors", "000100.safetensors"]


def test_those_of_another_history_do_not_belong(tmp_path: Path) -> None:
    snapshots = written(tmp_path, 4, 8)
    assert snapshots.belonging(CHAINS) == [4, 8]
    assert snapshots.belonging({4: CHAINS[4]}) == [4]
    assert snapshots.belonging({4: CHAINS[5], 8: CHAINS[8]}) == [8]


def test_one_that_something_else_wrote_does_not_belong(tmp_path: Path) -> None:
    snapshots = written(tmp_path, 4)
    save_file({"parameters": torch.zeros(SIZE)}, snapshots.folder / "000005.safetensors")
    (snapshots.folder / "000006.safetensors").write_bytes(b"nonsense")
    (snapshots.folder / "mine.safetensors").write_bytes(b"nonsense")
    assert snapshots.belonging(CHAINS) == [4]
    assert snapshots.load(5, SIZE) is None and snapshots.load(6, SIZE) is None


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    assert snapshots.belonging(CHAINS) == []
    assert not snapshots.folder.exists()


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = written(tmp_path, 4)

    def break_off(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "save_file", break_off)
    for number in (4, 5):  # in its own place, and beside it
        with pytest.raises(ResourceError, match="no space"):
            snapshots.write(number, torch.zeros(SIZE), b"c")
    assert snapshots.belonging(CHAINS) == [4]
    found = loaded(snapshots, 4, SIZE)
    assert found is not None and found.tolist() == [4.0] * SIZE


def test_a_view_is_written_as_what_it_shows(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(1, torch.arange(6.0, requires_grad=True)[::2], b"c")
    found = loaded(snapshots, 1, 3)
    assert found is not None and found.tolist() == [0.0, 2.0, 4.0]


def test_what_was_just_written_stays_beside_newer_ones(tmp_path: Path) -> None:
    snapshots = written(tmp_path, 8, 9, 1, 2, 3)
    assert names(snapshots) == ["000002.safetensors", "000003.safetensors", "000008.safetensors", "000009.safetensors"]


def test_one_of_another_size_is_not_loaded(tmp_path: Path) -> None:
    assert written(tmp_path, 4).load(4, SIZE + 1) is None


def test_every_flipped_bit_of_a_value_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, 4).folder / "000004.safetensors"
    whole = path.read_bytes()
    for bit in range(8 * 4 * SIZE):
        damaged = bytearray(whole)
        damaged[len(whole) - 4 * SIZE + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert Snapshots(path.parent).load(4, SIZE) is None


def test_a_state_comes_back_by_name_and_one_that_is_damaged_is_none(tmp_path: Path) -> None:
    snapshots, state = Snapshots(tmp_path), {"momentum": torch.tensor([1.0, -0.0]), "count": torch.tensor([3.0])}
    snapshots.write(1, torch.zeros(2), b"c", state)
    found = snapshots.load(1, 2)
    assert found is not None and found[1].keys() == state.keys()
    assert all(torch.equal(found[1][name], value) for name, value in state.items())
    path = tmp_path / "000001.safetensors"
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors["state.momentum"] += 1
    save_file(tensors, path, metadata)
    assert snapshots.load(1, 2) is None
    del tensors["state.momentum"]
    save_file(tensors, path, metadata)
    assert snapshots.load(1, 2) is None
