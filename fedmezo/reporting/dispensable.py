"""What a run can do without: pictures and trackers, whose failures are told, and cost nothing else."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fedmezo.core.log import LOG
from fedmezo.federation.callbacks import Callback, RoundReport
from fedmezo.ledger.records import EvaluationRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Dispensable(Callback):
    """A tracker that is left out from its first failure on.

    Args:
        name: of it, for the warning.
        tracker: that is told of rounds and evaluations.
    """

    def __init__(self, name: str, tracker: Callback) -> None:
        self._name = name
        self._tracker: Callback | None = tracker

    def after_round(self, report: RoundReport) -> None:
        """Tell the tracker."""
        self._tell(lambda tracker: tracker.after_round(report))

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Tell the tracker."""
        self._tell(lambda tracker: tracker.after_evaluation(record, initial))

    def close(self) -> None:
        """Close the tracker."""
        self._tell(lambda tracker: tracker.close())

    def _tell(self, what: Callable[[Callback], None]) -> None:
        if self._tracker is None:
            return
        try:
            what(self._tracker)
        except Exception as error:  # noqa: BLE001 - whatever a service, its library or its files come to
            failed, self._tracker = self._tracker, None
            LOG.warning(f"{self._name} failed, and is left out from here on: {type(error).__name__}: {error}")
            with suppress(Exception):
                failed.close()


@contextmanager
def drawing(path: Path) -> Iterator[None]:
    """Draw a picture inside the block, and put it in ``path``; where that fails there is none, and a warning."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - fonts, caches, settings, disks: the run is worth more
        LOG.warning(f"{path}: the picture could not be drawn: {type(error).__name__}: {error}")
        with suppress(OSError):
            path.unlink(missing_ok=True)


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of so many inches, which needs no screen."""
    # matplotlib refuses to be imported where the variable names what it does not know; a notebook's is a module
    asked = os.environ.get("MPLBACKEND", "")
    if not asked.startswith("module://"):
        os.environ.pop("MPLBACKEND", None)
    try:
        from matplotlib.figure import Figure
    finally:
        os.environ |= {"MPLBACKEND": asked} if asked else {}

    return Figure(figsize=(width, height), layout="constrained")
