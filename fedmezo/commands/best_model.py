"""``adapter_best``: what it has to hold follows from the ledger, so that a damaged one is noticed, and rebuilt."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from fedmezo.assembly import TrainableModel
from fedmezo.core.errors import ResourceError
from fedmezo.core.log import LOG
from fedmezo.core.text import number_of_rounds
from fedmezo.federation.selection import best_evaluation
from fedmezo.federation.server import Server
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.store import Store
from fedmezo.models.adapters import load_point, stored_hash
from fedmezo.models.faults import telling_faults
from fedmezo.models.hashing import point_hash


def load_best(trainable: TrainableModel, ledger: Ledger, rounds_done: int, folder: Path) -> Tensor:
    """Return the point [d] that a folder holds of the best model, found after so many rounds.

    Raises:
        ResourceError: it cannot be read, or is another one than the ledger has the hash of.
    """
    try:
        point = load_point(trainable.parameters, folder, trainable.model)
    except ResourceError as error:
        raise ResourceError(f"{folder}\n    it is damaged: {error.__cause__ or error}") from error
    finally:
        trainable.parameters.write(trainable.start)
    if point_hash(point) != recorded_hash(ledger, rounds_done):
        raise _another(folder, rounds_done)
    return point


def check_best(trainable: TrainableModel, ledger: Ledger, rounds_done: int, folder: Path) -> None:
    """Make sure that a folder holds the best model, found after so many rounds: an adapter, or a model as a whole.

    Raises:
        ResourceError: it cannot be read, or is another one than the ledger has the hash of.
    """
    if trainable.base is not None:
        load_best(trainable, ledger, rounds_done, folder)
        return
    with telling_faults(str(folder)):
        found = stored_hash(trainable.parameters, folder)
    if found != recorded_hash(ledger, rounds_done):
        raise _another(folder, rounds_done)


def _another(folder: Path, rounds_done: int) -> ResourceError:
    return ResourceError(
        f"{folder}\n    it is not what the ledger leads to after {number_of_rounds(rounds_done)}: damaged"
    )


def recorded_hash(ledger: Ledger, rounds_done: int) -> bytes | None:
    """Return the hash of the parameters after so many rounds, if it is recorded."""
    assert ledger.header is not None
    return ledger.hashes().get(rounds_done) if rounds_done else ledger.header.hashes["initial"]


def mend_best(
    trainable: TrainableModel,
    store: Store,
    key: str,
    folder: Path,
    new_server: Callable[[], Server],
    save: Callable[[Tensor], None],
) -> None:
    """Make sure that a folder holds the adapter of the best evaluation so far; where it does not, rebuild it.

    Args:
        trainable: of the run, at its initial point.
        store: of the run.
        key: the result that says which evaluation is the best.
        folder: of the best adapter.
        new_server: makes one at the start of the run.
        save: writes it.
    """
    best = best_evaluation(store.ledger.evaluations(), key)
    if best is None or trainable.base is None or recorded_hash(store.ledger, best.rounds_done) is None:
        return
    try:
        load_best(trainable, store.ledger, best.rounds_done, folder)
    except ResourceError as damage:
        LOG.warning(str(damage))
        try:
            server = new_server()
            server.restore(store, best.rounds_done)
        except ResourceError:
            LOG.warning(f"{folder}: it cannot be rebuilt, as weights travelled and no snapshot of that round is left")
            return
        save(server.parameters)
        LOG.warning(f"{folder}: rebuilt from the ledger")
