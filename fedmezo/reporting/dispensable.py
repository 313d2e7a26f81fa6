"""What a run can do without: pictures and trackers, whose failures are told, and cost nothing else."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fedmezo.core.errors import DivergedError
from fedmezo.core.extensions import culprit
from fedmezo.core.log import LOG
from fedmezo.federation.callbacks import Callback, RoundReport
from fedmezo.ledger.records import EvaluationRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Answer = TypeVar("Answer")


class Dispensable(Callback):
    """A callback that is left out from its first failure on, unless that is a DivergedError, which ends the run.

    Args:
        name: of it, for the warning.
        callback: that is told.
    """

    def __init__(self, name: str, callback: Callback) -> None:
        self._name = name
        self._callback: Callback | None = callback

    def before_round(self, round_index: int, rates: Sequence[float]) -> None:
        """Tell the callback."""
        self._tell(lambda callback: callback.before_round(round_index, rates))

    def on_step(self, loss: float) -> None:
        """Tell the callback."""
        self._tell(lambda callback: callback.on_step(loss))

    def on_evaluated(self, examples: int) -> None:
        """Tell the callback."""
        self._tell(lambda callback: callback.on_evaluated(examples))

    def after_round(self, report: RoundReport) -> None:
        """Tell the callback."""
        self._tell(lambda callback: callback.after_round(report))

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Tell the callback."""
        self._tell(lambda callback: callback.after_evaluation(record, initial))

    def wants_stop(self) -> bool:
        """Ask the callback, and say so where it wants to stop."""
        stop = bool(self._tell(lambda callback: callback.wants_stop()))
        if stop:
            LOG.info(f"callback {self._name} stops the run")
        return stop

    def close(self) -> None:
        """Close the callback."""
        self._tell(lambda callback: callback.close())

    def _tell(self, what: Callable[[Callback], Answer]) -> Answer | None:
        if self._callback is None:
            return None
        try:
            return what(self._callback)
        except DivergedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a service, its library, its files or a user's code come to
            failed, self._callback = self._callback, None
            place = f"{found}: " if (found := culprit(error)) else ""
            told = f"{place}{type(error).__name__}: {error}"
            LOG.warning(f"{self._name} failed, and is left out from here on: {told}")
            with suppress(Exception):
                failed.close()
            return None


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
