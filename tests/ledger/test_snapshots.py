from pathlib import Path

import pytest
import torch
from torch import Tensor

from fedmezo.ledger import snapshots as module
from fedmezo.ledger.snapshots import Snapshots


def written(folder: Path, *rounds: int) -> Snapshots:
    snapshots = Snapshots(folder / "snapshots")
    for number in rounds:
        snapshots.write(number, torch.full((3,), float(number)))
    return snapshots


def names(snapshots: Snapshots) -> list[str]:
    return sorted(path.name for path in snapshots.folder.iterdir())


def test_parameters_come_back_bit_for_bit(tmp_path: Path) -> None:
    parameters = torch.tensor([1.0, -0.0, torch.nan, torch.inf, 1e-45])
    snapshots = Snapshots(tmp_path)
    snapshots.write(5, parameters)
    rounds, found = snapshots.latest(5, 5) or (0, torch.empty(0))
    assert rounds == 5
    assert torch.equal(found.view(torch.int32), parameters.view(torch.int32))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    assert names(written(tmp_path, 2, 10, 100)) == ["000010.safetensors", "000100.safetensors"]


@pytest.mark.parametrize(("up_to", "wanted"), [(3, None), (4, 4), (7, 4), (8, 8), (99, 8)])
def test_the_newest_that_is_not_too_new_is_taken(up_to: int, wanted: int | None, tmp_path: Path) -> None:
    found = written(tmp_path, 4, 8).latest(up_to, 3)
    assert (found and (found[0], found[1].tolist())) == (wanted and (wanted, [wanted] * 3))


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    assert snapshots.latest(10, 3) is None
    assert not snapshots.folder.exists()


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = written(tmp_path, 4)

    def break_off(tensors: dict[str, Tensor], path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "save_file", break_off)
    for number in (4, 5):  # in its own place, and beside it
        with pytest.raises(OSError, match="no space"):
            snapshots.write(number, torch.zeros(3))
    assert len(names(snapshots)) == 3
    rounds, parameters = snapshots.latest(9, 3) or (0, torch.empty(0))
    assert (rounds, parameters.tolist()) == (4, [4.0] * 3)


def test_a_view_is_written_as_what_it_shows(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(1, torch.arange(6.0, requires_grad=True)[::2])
    assert (snapshots.latest(1, 3) or (0, torch.empty(0)))[1].tolist() == [0.0, 2.0, 4.0]


def test_what_was_just_written_stays_beside_newer_ones(tmp_path: Path) -> None:
    snapshots = written(tmp_path, 8, 9, 1, 2, 3)
    assert names(snapshots) == ["000002.safetensors", "000003.safetensors", "000008.safetensors", "000009.safetensors"]


def test_one_of_another_size_is_passed_over(tmp_path: Path) -> None:
    snapshots = written(tmp_path, 4)
    snapshots.write(8, torch.zeros(5))
    assert (snapshots.latest(9, 3) or (0,))[0] == 4
