from pathlib import Path

import pytest
import torch

from fedmezo.errors import ResourceError
from fedmezo.ledger.log import Log
from fedmezo.ledger.records import ClientRecord, EvaluationRecord, RoundRecord
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store


def make_store(folder: Path, every: int = 0) -> Store:
    store = Store(Log(folder / "ledger.jsonl"), Snapshots(folder / "snapshots"), every)
    store.log.start({"format": 1})
    return store


def scalar_round(index: int) -> RoundRecord:
    return RoundRecord(index, (ClientRecord(0, 0.1, 2, 2.0, 1.5, gradients=((0.5,),)),))


def weight_round(index: int) -> RoundRecord:
    return RoundRecord(index, (ClientRecord(0, 0.1, 2, 2.0, 1.5),), torch.full((3,), index + 1.0))


def run_scalars(store: Store, rounds: int, last: int | None = None) -> list[RoundRecord]:
    for index in range(rounds):
        store.append(scalar_round(index))
        store.keep(scalar_round(index), torch.full((3,), index + 1.0), last=index + 1 == last)
    return store.rounds()


def snapshots(store: Store) -> list[int]:
    return sorted(int(path.stem) for path in store.snapshots.folder.glob("*.safetensors"))


def test_rounds_and_evaluations_are_told_apart(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    evaluation = EvaluationRecord(0, {"val": 2.5})
    store.log.append(evaluation)
    store.append(scalar_round(0))
    assert store.rounds() == [scalar_round(0)]
    assert store.evaluations() == [evaluation]


def test_scalars_are_replayed_from_the_beginning_before_the_first_snapshot(tmp_path: Path) -> None:
    store = make_store(tmp_path, every=3)
    assert store.latest([], 3) == (0, None)
    assert store.latest(run_scalars(store, 2), 3) == (0, None)


def test_scalars_are_replayed_from_the_newest_snapshot(tmp_path: Path) -> None:
    store = make_store(tmp_path, every=3)
    done, parameters = store.latest(run_scalars(store, 8), 3)
    assert done == 6
    assert parameters is not None and parameters.tolist() == [6.0] * 3


@pytest.mark.parametrize(
    ("every", "last", "kept"), [(3, None, [3, 6]), (3, 7, [6, 7]), (0, 7, [7]), (-1, None, []), (1, 7, [6, 7])]
)
def test_snapshots_of_scalars_are_kept_when_due_and_at_the_end(
    every: int, last: int | None, kept: list[int], tmp_path: Path
) -> None:
    store = make_store(tmp_path, every)
    run_scalars(store, 7, last)
    assert snapshots(store) == kept


def test_a_snapshot_newer_than_the_rounds_is_passed_over(tmp_path: Path) -> None:
    store = make_store(tmp_path, every=2)
    rounds = run_scalars(store, 4)
    done, parameters = store.latest(rounds[:3], 3)
    assert done == 2
    assert parameters is not None and parameters.tolist() == [2.0] * 3


def test_weights_are_on_the_disk_before_their_round_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    store.append(weight_round(0))

    def crash(log: Log, record: RoundRecord) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Log, "append", crash)
    with pytest.raises(KeyboardInterrupt):
        store.append(weight_round(1))
    assert snapshots(store) == [1, 2]
    done, parameters = store.latest(store.rounds(), 3)
    assert done == 1
    assert parameters is not None and parameters.tolist() == [1.0] * 3


def test_weights_without_their_snapshot_cannot_go_on(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for index in range(3):
        store.append(weight_round(index))
    (store.snapshots.folder / "000003.safetensors").unlink()
    with pytest.raises(ResourceError, match="the snapshot after round 3 is missing"):
        store.latest(store.rounds(), 3)
