"""``loss.png``: the train loss of every round and the evaluated losses."""

from pathlib import Path

from fedmezo.federation.callbacks import Callback, RoundReport
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.reporting.dispensable import drawing, new_figure
from fedmezo.reporting.metrics import train_loss


class LossPlot(Callback):
    """Draws the picture when the run ends.

    Args:
        path: of the picture.
        past: reports of the rounds a resumed run has behind it.
        evaluations: likewise.
    """

    def __init__(self, path: Path, past: list[RoundReport], evaluations: list[EvaluationRecord]) -> None:
        self.path = path
        self._train = [(report.record.round_index + 1, train_loss(report)) for report in past]
        self._evaluations = list(evaluations)

    def after_round(self, report: RoundReport) -> None:
        """Keep the train loss."""
        self._train.append((report.record.round_index + 1, train_loss(report)))

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Keep the losses."""
        self._evaluations.append(record)

    def close(self) -> None:
        """Write the picture, if there is anything to see."""
        if not (self._train or self._evaluations):
            return
        with drawing(self.path):
            self._draw()

    def _draw(self) -> None:
        figure = new_figure(8, 4.5)
        axes = figure.add_subplot()
        if self._train:
            axes.plot(*zip(*self._train, strict=True), color="0.7", linewidth=1, label="train (mean of clients)")
        for split, colour in (("val", "tab:blue"), ("test", "tab:orange")):
            points = [(row.rounds_done, row.losses[split]) for row in self._evaluations if split in row.losses]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=4, label=split)
        axes.set(xlabel="rounds done", ylabel="loss (cross-entropy per response token)")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(self.path, dpi=120)
