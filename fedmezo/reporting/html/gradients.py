"""The histogram of projected gradients: what the clients of a zeroth-order run sent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedmezo.reporting.html.figure import Figure, Series
from fedmezo.reporting.html.run import Run

BINS = 43  # odd, so that one of them is around 0; the outermost two are empty, for the outline to end there


def gradient_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return one histogram of all runs in which scalars travelled, none if there is no such run."""
    found = {number: gradients(run) for number, run in enumerate(runs)}
    known = {number: values for number, values in found.items() if len(values)}
    if not known:
        return []
    widest = max(float(np.abs(values).max()) for values in known.values()) or 1.0
    edges = (np.arange(BINS + 1) - BINS / 2) * (2 * widest / (BINS - 2))
    edges[[1, -2]] = -widest, np.nextafter(widest, np.inf)  # a bin does not hold its right edge
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    series = [
        Series(runs[number].label, middles, np.histogram(values, edges)[0].tolist(), number, number)
        for number, values in known.items()
    ]
    text = "; ".join(f"{runs[number].label}: {_described(values)}" for number, values in known.items())
    title = "Projected gradients of all clients, steps and queries"
    return [Figure("gradients", title, f"{text}.", "steps", "projected gradient (middle of the bin)", "number", series)]


def gradients(run: Run) -> NDArray[np.float64]:
    """Return every projected gradient of a run whose losses were finite, fp64 [n]."""
    parts = []
    for client in (client for record in run.records for client in record.clients):
        if client.gradients is not None:
            sound = np.ones(client.gradients.shape, dtype=bool) if client.failed is None else ~client.failed
            parts.append(client.gradients[sound].astype(np.float64))
    return np.concatenate(parts) if parts else np.empty(0)


def _described(values: NDArray[np.float64]) -> str:
    return f"{len(values):,} values, mean {values.mean():.3g}, standard deviation {values.std():.3g}"
