"""The progress bar: loss, rate and time left; a line per evaluation, and per round where no bar can be drawn."""

import logging
import math
import sys
from collections.abc import Sequence

from tqdm import tqdm

from fedmezo.core.log import LOG, progress_shown
from fedmezo.core.text import when
from fedmezo.evaluation.metrics import Metric
from fedmezo.ledger.records import LOSS, EvaluationRecord
from fedmezo.reporting.callbacks import Callback, RoundReport, RunContext, register
from fedmezo.reporting.metrics import train_loss


class ProgressBar(Callback):
    """A bar over the local steps of all rounds.

    Args:
        steps: of each round, of all its clients together.
        first_round: where this process begins.
        metrics: told after each evaluation, besides the loss.
    """

    def __init__(self, steps: Sequence[int], first_round: int, metrics: Sequence[Metric] = ()) -> None:
        self._metrics = [metric for metric in metrics if metric.name != LOSS]
        self._total_rounds = len(steps)
        drawn = progress_shown() and sys.stderr.isatty()
        self._round_level = logging.DEBUG if drawn else logging.INFO
        self._bar = tqdm(
            total=sum(steps),
            initial=sum(steps[:first_round]),
            unit="step",
            dynamic_ncols=True,
            smoothing=0.05,
            disable=not drawn,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]",
        )
        self._evaluated = 0
        self._rates = ""

    def before_round(self, round_index: int, rates: Sequence[float]) -> None:
        """Name the round and its learning rates."""
        self._rates = spread(rates)
        self._bar.set_description_str(f"round {round_index + 1}/{self._total_rounds}, rate {self._rates}")

    def on_step(self, loss: float) -> None:
        """Move the bar by a step."""
        self._bar.set_postfix_str(f"loss {loss:.4f}" if math.isfinite(loss) else "loss not finite", refresh=False)
        self._bar.update()

    def on_evaluated(self, examples: int) -> None:
        """Show that an evaluation gets on."""
        self._evaluated += examples
        self._bar.set_postfix_str(f"{self._evaluated} examples evaluated")

    def after_round(self, report: RoundReport) -> None:
        """Report the finished round; beside a bar only to those who want to know everything."""
        done = f"round {report.record.round_index + 1}/{self._total_rounds}"
        seconds = f", {report.seconds:.1f} s" if report.seconds is not None else ""
        line = f"{done}: train loss {train_loss(report):.4f}, rate {self._rates}{seconds}"
        LOG.log(self._round_level, line)

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Report the losses and their change since before training, and the other metrics."""
        self._evaluated = 0
        parts = []
        for split, loss in record.losses.items():
            change = 100.0 * (loss / initial.losses[split] - 1.0)
            parts.append(f"{split} loss {loss:.4f}" + (f" ({change:+.2f} %)" if record.rounds_done else ""))
            parts += [f"{split} {each.words} {each.text(record.value(split, each.name))}" for each in self._metrics]
        LOG.info(f"{when(record.rounds_done)}: {', '.join(parts)}")

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


@register("progress_bar")
def for_run(run: RunContext) -> ProgressBar:
    """Return the callback of a run."""
    return ProgressBar(run.steps, len(run.past), run.metrics)


def spread(rates: Sequence[float]) -> str:
    """Return learning rates in words: one, or the lowest and the highest; '-' for none."""
    if not rates:
        return "-"
    low, high = min(rates), max(rates)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
