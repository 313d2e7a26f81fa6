"""The figure of a suite: curves, or a measure against an axis, means over seeds with 90 % intervals."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from fedmezo.commands.experiments.suites.interval import Interval, interval
from fedmezo.commands.experiments.suites.results import COSTS, UNITS, Finished
from fedmezo.commands.experiments.suites.suite import Arm, Suite
from fedmezo.core.files import saving
from fedmezo.reporting.dispensable import new_figure

FORMATS = ("png", "pdf")
FAR = 20  # times the median


def draw(suite: Suite, runs: Sequence[Finished], stem: Path) -> list[Path]:
    """Write the figure of a suite and return its files."""
    figure = new_figure(8 if len(suite.x) == 1 else 10, 4.5)
    for number, x in enumerate(suite.x, start=1):
        axes = figure.add_subplot(1, len(suite.x), number)
        if x == "rounds":
            _curves(axes, suite, runs)
        elif x in COSTS:
            _against(axes, x, suite, runs)
        else:
            _bars(axes, suite, runs)
        axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:  # of one panel: the arms are the same in all
        axes.legend(fontsize=7, title=", ".join(suite.axes), title_fontsize=7)
    figure.suptitle(suite.title, fontsize=10)
    files = [stem.with_suffix(f".{kind}") for kind in FORMATS]
    for file in files:
        with saving(file):
            figure.savefig(file, dpi=150, metadata={"CreationDate": None} if file.suffix == ".pdf" else None)
    return files


def _curves(axes: Any, suite: Suite, runs: Sequence[Finished]) -> None:
    """Draw the change of a metric over rounds, an arm a line, its interval a band.

    The change, because runs of different seeds have different examples to be evaluated on, and start at other levels.
    """
    ends = []
    for arm in suite.arms:
        points = _points(suite.y, [run for run in runs if run.job.arm == arm])
        if not points:
            continue
        rounds, means = list(points), [value.mean for value in points.values()]
        (line,) = axes.plot(rounds, means, label=_label(arm), linewidth=1.5, marker=".", markersize=4)
        widths = [0.0 if value.count < 2 else value.half_width for value in points.values()]
        low, high = zip(*((mean - width, mean + width) for mean, width in zip(means, widths, strict=True)), strict=True)
        ends.append(abs(means[-1]))
        axes.fill_between(rounds, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
    axes.set(xlabel="rounds done", ylabel=f"change of {suite.y.replace('_', ' ')}")
    if ends and max(ends) > FAR * median(ends):  # one that went astray would leave nothing to be seen of the others
        axes.set_yscale("symlog", linthresh=2 * median(ends))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _points(metric: str, runs: Sequence[Finished]) -> dict[int, Interval]:
    found: dict[int, list[float]] = {}
    for run in runs:
        curve = run.curve(metric)
        for rounds, value in curve:
            found.setdefault(rounds, []).append(value - curve[0][1])
    return {rounds: interval(values) for rounds, values in sorted(found.items())}


def _against(axes: Any, cost: str, suite: Suite, runs: Sequence[Finished]) -> None:
    """Draw a metric against what was spent until it was evaluated, an arm a line: means over seeds."""
    for arm in suite.arms:
        own = [run for run in runs if run.job.arm == arm]
        points: dict[int, list[tuple[float, float]]] = {}
        for run in own:
            spent = run.spent(cost)
            for rounds, value in run.curve(suite.y):
                points.setdefault(rounds, []).append((spent[rounds], value))
        means = [(fmean(x for x, _ in found), fmean(y for _, y in found)) for _, found in sorted(points.items())]
        if means:
            axes.plot(*zip(*means, strict=True), label=_label(arm), linewidth=1.5, marker=".", markersize=5)
    axes.set(xlabel=UNITS[cost], ylabel=suite.y.replace("_", " "))
    if cost == "bytes":  # of arms far apart, each from 0 on
        first = [min(value for value in run.spent(cost).values() if value > 0) for run in runs]
        axes.set_xscale("symlog", linthresh=min(first, default=1.0))


def _bars(axes: Any, suite: Suite, runs: Sequence[Finished]) -> None:
    """Draw a measure of every arm."""
    found = [(arm, [run.measure(suite.y) for run in runs if run.job.arm == arm]) for arm in suite.arms]
    known = [(_label(arm), interval(values)) for arm, values in found if values]
    names, values = [name for name, _ in known], [value for _, value in known]
    kinds = [[*arm.labels.values()][-1] for arm, own in found if own]  # alike on the last axis, alike in colour
    colours = [f"C{list(dict.fromkeys(kinds)).index(kind)}" for kind in kinds]
    errors = [0.0 if value.count < 2 else value.half_width for value in values]
    axes.bar(range(len(names)), [value.mean for value in values], yerr=errors, capsize=3, color=colours, alpha=0.8)
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=30 if len(names) > 4 else 0, ha="right")
    axes.set_ylabel(UNITS.get(suite.y, suite.y))
    if values and max(value.mean for value in values) > 100 * max(1e-12, min(value.mean for value in values)):
        axes.set_yscale("log")


def _label(arm: Arm) -> str:
    return ", ".join(arm.labels.values())
