"""``loss.png``: the train loss of every round and the evaluated losses; below them the other metrics."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fedmezo.evaluation.metrics import Metric
from fedmezo.ledger.records import LOSS, EvaluationRecord
from fedmezo.reporting.callbacks import Callback, RoundReport, RunContext, register
from fedmezo.reporting.dispensable import drawing, new_figure
from fedmezo.reporting.metrics import train_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LossPlot(Callback):
    """Draws the picture when the run ends.

    Args:
        path: of the picture.
        past: reports of the rounds a resumed run has behind it.
        evaluations: likewise.
        metrics: drawn besides the loss, each in a panel of its own.
    """

    def __init__(
        self,
        path: Path,
        past: Sequence[RoundReport],
        evaluations: Sequence[EvaluationRecord],
        metrics: Sequence[Metric] = (),
    ) -> None:
        self.path = path
        self._metrics = [metric for metric in metrics if metric.name != LOSS]
        self._train = [(report.record.round_index + 1, train_loss(report)) for report in past]
        self._evaluations = list(evaluations)

    def after_round(self, report: RoundReport) -> None:
        """Keep the train loss."""
        self._train.append((report.record.round_index + 1, train_loss(report)))

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Keep the results."""
        self._evaluations.append(record)

    def close(self) -> None:
        """Write the picture, if there is anything to see."""
        if not (self._train or self._evaluations):
            return
        with drawing(self.path):
            self._draw()

    def _draw(self) -> None:
        panels = 1 + len(self._metrics)
        figure = new_figure(8, 4.5 * panels)
        first, *others = (figure.add_subplot(panels, 1, number) for number in range(1, panels + 1))
        if self._train:
            first.plot(*zip(*self._train, strict=True), color="0.7", linewidth=1, label="train (mean of clients)")
        self._draw_panel(first, LOSS, "loss (cross-entropy per response token)")
        for axes, metric in zip(others, self._metrics, strict=True):
            self._draw_panel(axes, metric.name, f"{metric.words} ({metric.unit})")
        figure.savefig(self.path, dpi=120)

    def _draw_panel(self, axes: "Axes", metric: str, label: str) -> None:
        for split, colour in (("val", "tab:blue"), ("test", "tab:orange")):
            rows = [row for row in self._evaluations if metric in row.splits.get(split, {})]
            points = [(row.rounds_done, row.value(split, metric)) for row in rows]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=4, label=split)
        axes.set(xlabel="rounds done", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()


@register("loss_plot")
def for_run(run: RunContext) -> LossPlot:
    """Return the callback of a run."""
    return LossPlot(run.folder / "loss.png", run.past, run.evaluations, run.metrics)
