from pathlib import Path

import pytest

from fedmezo.core.errors import ResourceError
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import HashRecord, RoundRecord
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.models.hashing import point_hash
from tests.ledger.made import SIZE, make_header, parameters_after, scalar_round, weight_round

SLOW, QUICK = 1e9, 0.0  # seconds of replaying a round


def make_store(folder: Path, every: int = 0, hash_every: int = 0) -> Store:
    ledger = Ledger(folder / "ledger.bin")
    ledger.begin(make_header())
    return Store(ledger, Snapshots(folder / "snapshots"), every, hash_every)


def run_scalars(store: Store, rounds: int, last: int | None = None) -> Store:
    for index in range(rounds):
        store.append(scalar_round(index))
        store.keep(index + 1, parameters_after(index + 1), {}, last=index + 1 == last)
    return store


def run_weights(store: Store, rounds: int) -> Store:
    for index in range(len(store.ledger.rounds()), rounds):
        store.append(weight_round(index))
    return store


def began(store: Store, rounds: list[RoundRecord] | None = None, cost: float = SLOW) -> tuple[int, list[float] | None]:
    start = store.nearest(store.ledger.rounds() if rounds is None else rounds, SIZE, lambda record: cost)
    return start.rounds_done, None if start.parameters is None else start.parameters.tolist()


def snapshots(store: Store) -> list[int]:
    return sorted(int(path.stem) for path in store.snapshots.folder.glob("*.safetensors"))


def test_scalars_are_replayed_from_the_beginning_before_the_first_snapshot(tmp_path: Path) -> None:
    store = make_store(tmp_path, every=3)
    assert began(store) == (0, None)
    assert began(run_scalars(store, 2)) == (0, None)


def test_the_newest_snapshot_or_the_beginning_whichever_is_quicker(tmp_path: Path) -> None:
    store = run_scalars(make_store(tmp_path, every=3), 8)
    assert began(store, cost=SLOW) == (6, [6.0] * SIZE)
    assert began(store, cost=QUICK) == (0, None)


@pytest.mark.parametrize(
    ("every", "last", "kept"), [(3, None, [3, 6]), (3, 7, [6, 7]), (0, 7, [7]), (-1, None, []), (1, 7, [6, 7])]
)
def test_snapshots_of_scalars_are_kept_when_due_and_at_the_end(
    every: int, last: int | None, kept: list[int], tmp_path: Path
) -> None:
    assert snapshots(run_scalars(make_store(tmp_path, every), 7, last)) == kept


def test_a_snapshot_newer_than_the_rounds_is_passed_over(tmp_path: Path) -> None:
    store = run_scalars(make_store(tmp_path, every=2), 4)
    assert began(store, store.ledger.rounds()[:3]) == (2, [2.0] * SIZE)


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = run_scalars(make_store(tmp_path, every=2), 4)
    path = store.snapshots.folder / "000004.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert began(store) == (2, [2.0] * SIZE)
    assert "the snapshot after round 4 is damaged" in caplog.text


def test_snapshots_of_rounds_that_were_dropped_are_not_used(tmp_path: Path) -> None:
    store = run_scalars(make_store(tmp_path, every=2), 4)
    store.ledger.roll_back(1, "for a test")
    for index in range(1, 4):  # other scalars than before
        store.ledger.append(RoundRecord(index, ()))
    assert began(store) == (0, None)


def test_hashes_are_due_once_at_their_rounds(tmp_path: Path) -> None:
    store = make_store(tmp_path, hash_every=2)
    due = []
    for index in range(5):
        store.append(scalar_round(index))
        due.append(store.hash_due(index + 1))
        if due[-1]:
            store.record_hash(index + 1, parameters_after(index + 1))
            assert not store.hash_due(index + 1)
    assert due == [False, True, False, True, False]
    assert store.ledger.hashes() == {done: point_hash(parameters_after(done)) for done in (2, 4)}
    assert sum(isinstance(record, HashRecord) for record in Ledger(store.ledger.path).entries()) == 2


def test_weights_are_on_the_disk_before_their_round_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_weights(make_store(tmp_path), 1)

    def crash(ledger: Ledger, record: RoundRecord) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "append", crash)
    with pytest.raises(KeyboardInterrupt):
        store.append(weight_round(1))
    assert snapshots(store) == [1, 2]
    assert began(store) == (1, [1.0] * SIZE)


@pytest.mark.parametrize("whole", [False, True])
def test_weights_without_their_snapshot_cannot_be_rebuilt_and_are_dropped(tmp_path: Path, whole: bool) -> None:
    store = run_weights(make_store(tmp_path), 3)
    (store.snapshots.folder / "000003.safetensors").write_bytes(b"nonsense")
    if whole:
        (store.snapshots.folder / "000002.safetensors").unlink()
    with pytest.raises(ResourceError, match="the snapshot after round 3 is missing or damaged"):
        began(store)
    store.roll_back(SIZE)
    wanted = 0 if whole else 2
    assert len(Ledger(store.ledger.path).rounds()) == wanted
    assert began(store) == (wanted, [2.0] * SIZE if wanted else None)
    assert began(run_weights(store, 3)) == (3, [3.0] * SIZE)


def test_going_back_leaves_scalars_and_whole_runs_alone(tmp_path: Path) -> None:
    for name in ("scalars", "weights"):
        (tmp_path / name).mkdir()
        store = (run_scalars if name == "scalars" else run_weights)(make_store(tmp_path / name), 3)
        before = store.ledger.path.read_bytes()
        store.roll_back(SIZE)
        assert store.ledger.path.read_bytes() == before
