"""What a figure shows, whoever draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fedmezo.core.files import finite

Kind = Literal["lines", "steps", "bars", "stack"]
Unit = Literal["", "B", "s", "MiB"]


@dataclass(frozen=True)
class Series:
    """Values under one name.

    Args:
        name: as the legend has it.
        x: positions, or names of bars.
        y: their values.
        run: number of the run that it belongs to, which can be hidden; None for what belongs to several.
        style: number of its colour, dash and marker.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[float | None]
    run: int | None = None
    style: int = 0

    def thinned(self, most: int) -> "Series":
        """Return at most so many points, evenly chosen, the first and the last included."""
        if len(self.x) <= most:
            return self
        kept = np.unique(np.linspace(0, len(self.x) - 1, most).round().astype(int)).tolist()
        return Series(self.name, [self.x[i] for i in kept], [self.y[i] for i in kept], self.run, self.style)


@dataclass(frozen=True)
class Figure:
    """A figure.

    Args:
        name: of its files, and of its place in the page.
        title: what it shows.
        text: what a reader who does not see it should know.
        kind: lines, steps (a histogram: a value for the middle of each bin), bars, or bars stacked by series.
        x_label: of the values.
        y_label: likewise.
        series: what is drawn.
        unit: of y.
        log_y: whether the axis of y begins logarithmic.
        integers: whether x counts something.
    """

    name: str
    title: str
    text: str
    kind: Kind
    x_label: str
    y_label: str
    series: Sequence[Series]
    unit: Unit = ""
    log_y: bool = False
    integers: bool = False

    def to_json(self, most: int) -> dict[str, Any]:
        """Return the figure as the page's script reads it, each series of at most so many points."""
        shown = [series.thinned(most) if self.kind == "lines" else series for series in self.series]
        rows = [
            {"name": row.name, "x": list(row.x), "y": finite(list(row.y)), "run": row.run, "style": row.style}
            for row in shown
        ]
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "xLabel": self.x_label,
            "yLabel": self.y_label,
            "unit": self.unit,
            "logY": self.log_y,
            "integers": self.integers,
            "series": rows,
        }
