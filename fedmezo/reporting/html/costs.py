"""Figures of bytes and memory, against backpropagation: measured where one of the runs has it, else computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedmezo.core.text import human
from fedmezo.reporting.html.figure import Figure, Series, Unit
from fedmezo.reporting.html.run import Run

COMPUTED = "weights (computed)"
STYLE = 5  # of what is computed: grey


@dataclass(frozen=True)
class Cost:
    """What a run took; None where it is not known.

    Args:
        up: bytes of all clients and rounds.
        down: likewise.
        answers: clients' parts in rounds that counted.
        peak_memory_mib: of the process.
        seconds: of all rounds.
        nonfinite: losses that were not finite.
        rejected: answers that did not count.
    """

    up: int
    down: int
    answers: int
    peak_memory_mib: float | None
    seconds: float | None
    nonfinite: int
    rejected: int

    @property
    def each_up(self) -> float | None:
        """Bytes that a client sent in a round, on average."""
        return self.up / self.answers if self.answers else None

    @property
    def each_down(self) -> float | None:
        """Bytes that a client was sent in a round, on average."""
        return self.down / self.answers if self.answers else None


def cost(run: Run) -> Cost:
    """Return what a run took."""
    clients = [client for row in run.rounds for client in row.clients]
    memory = [row.peak_memory_mib for row in run.rounds if row.peak_memory_mib is not None]
    seconds = [row.seconds for row in run.rounds if row.seconds is not None]
    return Cost(
        up=sum(client.bytes_up for client in clients),
        down=sum(client.bytes_down for client in clients),
        answers=len(clients),
        peak_memory_mib=max(memory, default=None),
        seconds=sum(seconds) if seconds else None,
        nonfinite=sum(client.nonfinite for client in clients),
        rejected=sum(row.rejected for row in run.rounds),
    )


def cost_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return bars of the bytes that a client sends and is sent in a round, and of the peak memory."""
    weights = _computed_weights(runs)
    up = _bars(runs, lambda own: own.each_up, "B")
    down = _bars(runs, lambda own: own.each_down, "B")
    memory = _bars(runs, lambda own: own.peak_memory_mib, "MiB")
    found = [
        _figure("bytes-up", "Bytes that a client sends in a round", "bytes up, mean", "B", up, weights),
        _figure("bytes-down", "Bytes that a client is sent in a round", "bytes down, mean", "B", down, weights),
        _figure("memory", "Peak memory of the process", "MiB", "MiB", memory, []),
    ]
    return [figure for figure in found if any(row.run is not None for row in figure.series)]


def _bars(runs: Sequence[Run], measure: Callable[[Cost], float | None], unit: Unit) -> list[Series]:
    values = [(number, run, measure(cost(run))) for number, run in enumerate(runs)]
    return [
        Series(run.label, [run.label], [value], number, number) for number, run, value in values if value is not None
    ]


def _computed_weights(runs: Sequence[Run]) -> list[Series]:
    """Return bars of what sending the trained parameters would take, where no run sent them."""
    if any(run.transport == "weights" for run in runs):
        return []
    sizes = sorted({run.weight_bytes for run in runs if run.weight_bytes})
    names = [COMPUTED] if len(sizes) == 1 else [f"{COMPUTED}, {human(size)}" for size in sizes]
    return [Series(name, [name], [size], None, STYLE) for name, size in zip(names, sizes, strict=True)]


def _figure(name: str, title: str, label: str, unit: Unit, own: list[Series], computed: list[Series]) -> Figure:
    series = [*own, *computed]
    text = "; ".join(f"{row.name}: {_said(float(row.y[0] or 0.0), unit)}" for row in series)
    return Figure(name, title, f"{text}.", "bars", "run", label, series, unit, log_y=unit == "B")


def _said(value: float, unit: Unit) -> str:
    return human(value) if unit == "B" else f"{value:,.0f} {unit}"


def comparisons(runs: Sequence[Run]) -> list[str]:
    """Return sentences on what each other run takes against the first run with backpropagation."""
    against = next((run for run in runs if run.backprop), None)
    if against is None:
        return [
            "No run with backpropagation is among these: bytes of weights are computed from the number of trained "
            "parameters, and memory with backpropagation is not known here."
        ]
    other = cost(against)
    return [
        f"Measured against {against.label}: {run.label} {' and '.join(parts)}."
        for run in runs
        if not run.backprop and (parts := _ratios(cost(run), other))
    ]


def _ratios(own: Cost, other: Cost) -> list[str]:
    found = []
    if own.each_up and other.each_up:
        found.append(f"sends {_times(other.each_up / own.each_up)} bytes up")
    if own.each_down and other.each_down:
        found.append(f"is sent {_times(other.each_down / own.each_down)} bytes")
    if own.peak_memory_mib and other.peak_memory_mib:
        found.append(f"peaks at {own.peak_memory_mib / other.peak_memory_mib:.2f} of its memory")
    return found


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times fewer" if ratio >= 10 else f"{1 / ratio:.2f} of its"
