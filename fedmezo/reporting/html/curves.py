"""Figures over rounds: losses, seconds, and every client's loss and learning rate."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from fedmezo.core.text import when
from fedmezo.evaluation.metrics.loss import Loss
from fedmezo.reporting.html.figure import Figure, Series, Unit
from fedmezo.reporting.html.metrics import title, unit
from fedmezo.reporting.html.rounds import ClientRow
from fedmezo.reporting.html.run import Run

MOST_CLIENTS = 9  # lines that can be told apart


def curves(runs: Sequence[Run]) -> list[Figure]:
    """Return a figure for each measure of the rounds, a line a run."""
    splits = [split for split in ("test", "val") if any(split in run.splits for run in runs)]
    evaluated = [
        _over_rounds(
            f"{split}-loss", f"Loss on the {split} examples", Loss.unit, runs, [run.losses(split) for run in runs]
        )
        for split in splits
    ]
    losses = [{row.done: row.train_loss for row in run.rounds if row.train_loss is not None} for run in runs]
    seconds = [{row.done: row.seconds for row in run.rounds if row.seconds is not None} for run in runs]
    metrics = [
        _over_rounds(
            f"{split}-{metric}".replace("_", "-"),
            f"{title(metric)} on the {split} examples",
            unit(metric),
            runs,
            [run.results(split, metric) for run in runs],
        )
        for metric in dict.fromkeys(metric for run in runs for metric in run.metrics)
        for split in splits
    ]
    found = [
        *evaluated,
        *metrics,
        _over_rounds("train-loss", "Loss in training", Loss.unit, runs, losses),
        _over_rounds("seconds", "Seconds of a round, evaluation included", "seconds", runs, seconds, unit="s"),
    ]
    return [figure for figure in found if figure.series]


def _over_rounds(
    name: str, title: str, label: str, runs: Sequence[Run], values: Sequence[Mapping[int, float]], unit: Unit = ""
) -> Figure:
    series = [
        Series(run.label, list(own), list(own.values()), number, number)
        for number, (run, own) in enumerate(zip(runs, values, strict=True))
        if own
    ]
    text = "; ".join(f"{row.name}: {_course(row)}" for row in series)
    return Figure(name, title, f"{text}.", "lines", "rounds done", label, series, unit, integers=True)


def _course(series: Series) -> str:
    first, last = f"{series.y[0]:.4g}", f"{series.y[-1]:.4g}"
    if len(series.x) == 1:
        return f"{last} {when(int(series.x[0]))}"
    return f"from {first} {when(int(series.x[0]))} to {last} {when(int(series.x[-1]))}"


def client_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return for each run its clients' losses and learning rates."""
    return [figure for number, run in enumerate(runs) if run.rounds for figure in _clients(number, run, len(runs) > 1)]


def _clients(number: int, run: Run, several: bool) -> list[Figure]:
    whose = f": {run.label}" if several else ""
    losses = _by_client(run, lambda row: row.loss)
    rates = _by_client(run, lambda row: row.learning_rate)
    count = f"{len(losses)} clients" if len(losses) > 1 else "1 client"
    same = len({tuple(values.items()) for values in rates.values()}) == 1
    constant = {rate for values in rates.values() for rate in values.values()}
    said = f"{constant.pop():.4g} for every client in every round" if len(constant) == 1 else spread(rates)
    return [
        Figure(
            f"client-losses-{number}",
            f"Loss of each client in training{whose}",
            f"{count}; losses {spread(losses)}.",
            "lines",
            "rounds done",
            Loss.unit,
            group_lines(number, losses),
            integers=True,
        ),
        Figure(
            f"client-rates-{number}",
            f"Learning rate of each client{whose}",
            f"{count}; {said}.",
            "lines",
            "rounds done",
            "learning rate",
            group_lines(number, {"all clients": next(iter(rates.values()))} if same and len(rates) > 1 else rates),
            integers=True,
        ),
    ]


def _by_client(run: Run, measure: Callable[[ClientRow], float | None]) -> dict[str, dict[int, float]]:
    """Return for each client its values by rounds done."""
    found: dict[int, dict[int, float]] = {}
    for row in run.rounds:
        for client in row.clients:
            value = measure(client)
            if value is not None:
                found.setdefault(client.client, {})[row.done] = value
    return {f"client {client}": found[client] for client in sorted(found)}


def group_lines(number: int, values: Mapping[str, Mapping[int, float]], part: str = "client") -> list[Series]:
    """Return a line for each part of a run; of too many to be told apart, each round's lowest, median and highest.

    Args:
        number: of the run.
        values: by rounds done, of each part.
        part: what a part is.
    """
    if len(values) <= MOST_CLIENTS:
        return [
            Series(name, list(own), list(own.values()), number, style)
            for style, (name, own) in enumerate(values.items())
        ]
    rounds = sorted({done for own in values.values() for done in own})
    taking_part = [[own[done] for own in values.values() if done in own] for done in rounds]
    measures: dict[str, Callable[[list[float]], float]]
    measures = {f"highest {part}": max, f"median {part}": median, f"lowest {part}": min}
    return [
        Series(name, rounds, [measure(own) for own in taking_part], number, style)
        for style, (name, measure) in enumerate(measures.items())
    ]


def spread(values: Mapping[str, Mapping[int, float]]) -> str:
    """Return the lowest and the highest of all values, in words."""
    found = [value for own in values.values() for value in own.values()]
    return f"between {min(found):.4g} and {max(found):.4g}" if found else "none of them known"
