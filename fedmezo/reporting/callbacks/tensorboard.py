"""TensorBoard: the metrics of every round, in the run's folder."""

from pathlib import Path

from fedmezo.core.files import saving
from fedmezo.core.run_folder import RunFolder
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.reporting.callbacks import Callback, RoundReport, RunContext, register
from fedmezo.reporting.metrics import evaluated, metrics_row

FOLDER = "tensorboard"
MEASURED = ("train_loss", "seconds", "peak_memory_mib")


class TensorBoardLog(Callback):
    """Writes rounds and evaluations as scalars, counted in rounds done.

    Args:
        folder: of the run.
        config: the configuration as text, shown beside the curves.
        rounds_done: before this process; what an earlier one wrote of later rounds is not shown.
    """

    def __init__(self, folder: Path, config: str, rounds_done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with saving(folder / FOLDER):
            self._writer = SummaryWriter(str(folder / FOLDER), purge_step=rounds_done + 1 if rounds_done else None)
            if not rounds_done:
                self._writer.add_text("config", f"```yaml\n{config}```")

    def after_round(self, report: RoundReport) -> None:
        """Write the round's metrics, and each client's loss and learning rate."""
        row, step = metrics_row(report), report.record.round_index + 1
        scalars = {name: row.get(name) for name in MEASURED}
        if report.evaluation:
            scalars |= {name: row[name] for name in evaluated(report.evaluation)}
        for client in row["clients"]:
            scalars |= {f"client_{client['client']}/{key}": client[key] for key in ("loss", "learning_rate")}
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Write the results before training; later ones are in their round's metrics."""
        if record.rounds_done == 0:
            for name, value in evaluated(record).items():
                self._writer.add_scalar(name, value, 0)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


@register("tensorboard")
def for_run(run: RunContext) -> TensorBoardLog:
    """Return the callback of a run."""
    return TensorBoardLog(run.folder, RunFolder(run.folder).config.read_text(encoding="utf-8"), len(run.past))
