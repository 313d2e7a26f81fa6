"""The tables of a report: a row a fact, a column a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from fedmezo.config.schema import DEFAULTS
from fedmezo.config.tree import plain
from fedmezo.core.text import duration, human, when
from fedmezo.evaluation.answers import shown
from fedmezo.evaluation.paired import PairedChange
from fedmezo.ledger.codec import configuration_text
from fedmezo.ledger.records import LOSS
from fedmezo.reporting.html.costs import Cost, cost
from fedmezo.reporting.html.facts import BESIDE
from fedmezo.reporting.html.metrics import in_words
from fedmezo.reporting.html.run import Run

UNKNOWN = "-"


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown, and the value itself for the CSV."""

    text: str
    value: Any

    @property
    def raw(self) -> str:
        """The value as the CSV has it; '' where it is not known."""
        return "" if self.value is None else str(self.value)


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: of its file.
        title: what it shows.
        corner: head of the first column.
        columns: heads of the others.
        rows: each of a name and its cells.
    """

    name: str
    title: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def cell(value: Any, shown: Callable[[Any], str] = str) -> Cell:
    """Return a value in the words of ``shown``; a dash where it is not known."""
    return Cell(UNKNOWN if value is None else shown(value), value)


def summary(runs: Sequence[Run]) -> Table:
    """Return what the runs were, what they learnt, and what they took."""
    costs = [cost(run) for run in runs]
    rows = [*_identity(runs), *_learnt(runs), *_taken(runs, costs)]
    shown = [(name, cells) for name, cells in rows if any(cell.value is not None for cell in cells)]
    return Table("summary", "All runs" if len(runs) > 1 else "The run", "", [run.label for run in runs], shown)


def _identity(runs: Sequence[Run]) -> list[tuple[str, list[Cell]]]:
    return [
        ("outcome", [cell(run.outcome) for run in runs]),
        ("trainer", [cell(run.trainer) for run in runs]),
        ("transport", [cell(run.transport) for run in runs]),
        ("model", [cell(run.settings["model.type"]) for run in runs]),
        ("data", [cell(run.settings["data.type"]) for run in runs]),
        ("clients", [cell(run.settings["federate.client_num"]) for run in runs]),
        ("trained parameters", [cell(run.header.size if run.header else None, "{:,}".format) for run in runs]),
        ("rounds done", [cell(run.done) for run in runs]),
    ]


def _learnt(runs: Sequence[Run]) -> list[tuple[str, list[Cell]]]:
    rows = []
    for split in dict.fromkeys(split for run in runs for split in run.splits):
        losses = [list(run.losses(split).values()) for run in runs]
        changes = [run.change(split) for run in runs]
        rows += [
            (f"{split} loss before", [cell(own[0] if own else None, _loss) for own in losses]),
            (f"{split} loss after", [cell(own[-1] if own else None, _loss) for own in losses]),
            (f"{split} loss, change", [cell(_percent(own), "{:+.2f} %".format) for own in losses]),
            (
                f"{split} loss, paired change in standard errors",
                [cell(_errors(own), "{:+.1f}".format) for own in changes],
            ),
        ]
        counts = [own.examples if own else None for own in changes]
        rows.append((f"{split} examples compared", [cell(count) for count in counts]))
        if len(runs) > 1:
            apart = [None, *(run.against(runs[0], split) for run in runs[1:])]
            name = f"{split} loss after, against {runs[0].label}, in standard errors"
            rows.append((name, [cell(_errors(own), "{:+.1f}".format) for own in apart]))
        for metric in dict.fromkeys(metric for run in runs for metric in run.settings["eval.metrics"]):
            if metric != LOSS and any(metric in run.metrics for run in runs):
                rows += _further(runs, split, metric)
        rows += _compared_with(runs, split)
        rows += _answers(runs, split)
    best = [run.best for run in runs]
    rows.append(("best evaluation", [cell(own.rounds_done if own else None, when) for own in best]))
    return rows


def _compared_with(runs: Sequence[Run], split: str) -> list[tuple[str, list[Cell]]]:
    """Return what the accuracies of classifications are compared with."""
    own = [run.baselines.get(split, {}) for run in runs]
    return [
        (f"{split} accuracy, {words}", [cell(each.get(name), "{:.4g}".format) for each in own])
        for name, words in BESIDE.items()
        if any(name in each for each in own)
    ]


def _answers(runs: Sequence[Run], split: str) -> list[tuple[str, list[Cell]]]:
    """Return how metrics of the models' answers changed, with 95 % intervals."""
    own = [run.answers.get(split, {}) for run in runs]
    rows = []
    for metric in dict.fromkeys(metric for each in own for metric in each):
        for side in ("before", "after", "change"):
            found = [each.get(metric) for each in own]
            cells = [
                Cell(shown(each[side], each["intervals"][side]), each[side]) if each else cell(None) for each in found
            ]
            rows.append((f"{split} answers, {in_words(metric)} {side}, 95 % interval", cells))
    return rows


def _further(runs: Sequence[Run], split: str, metric: str) -> list[tuple[str, list[Cell]]]:
    values = [list(run.results(split, metric).values()) for run in runs]
    name = f"{split} {in_words(metric)}"
    return [
        (f"{name} before", [cell(own[0] if own else None, "{:.4g}".format) for own in values]),
        (f"{name} after", [cell(own[-1] if own else None, "{:.4g}".format) for own in values]),
    ]


def _taken(runs: Sequence[Run], costs: Sequence[Cost]) -> list[tuple[str, list[Cell]]]:
    each = [own.seconds / run.done if own.seconds and run.done else None for run, own in zip(runs, costs, strict=True)]
    rows = [
        ("time of all rounds", [cell(own.seconds, duration) for own in costs]),
        ("seconds a round, mean", [cell(value, "{:.3g} s".format) for value in each]),
        ("peak memory", [cell(own.peak_memory_mib, "{:,.0f} MiB".format) for own in costs]),
        ("bytes up, all clients and rounds", [cell(own.up if own.answers else None, human) for own in costs]),
        ("bytes down, all clients and rounds", [cell(own.down if own.answers else None, human) for own in costs]),
        ("bytes up, a client and round", [cell(own.each_up, human) for own in costs]),
        ("bytes down, a client and round", [cell(own.each_down, human) for own in costs]),
    ]
    if any(own.nonfinite for own in costs):
        rows.append(("losses not finite", [cell(own.nonfinite) for own in costs]))
    if any(own.rejected for own in costs):
        rows.append(("answers not taken", [cell(own.rejected) for own in costs]))
    return rows


def configuration(runs: Sequence[Run]) -> Table:
    """Return the keys in which runs differ; of a single run, those that differ from the defaults."""
    columns = [run.settings for run in runs]
    if len(runs) == 1:
        heads = ["default", runs[0].label]
        return _settings(
            "configuration-differences", "Keys that are not the defaults", heads, [DEFAULTS, *columns], all_keys=False
        )
    heads = [run.label for run in runs]
    return _settings("configuration-differences", "Keys that differ", heads, columns, all_keys=False)


def all_keys(runs: Sequence[Run]) -> Table:
    """Return every key of every run."""
    columns = [run.settings for run in runs]
    return _settings("configuration", "All keys", [run.label for run in runs], columns, all_keys=True)


def _settings(
    name: str, title: str, heads: list[str], columns: Sequence[Mapping[str, Any]], *, all_keys: bool
) -> Table:
    keys = dict.fromkeys(key for column in columns for key in column)
    texts = {
        key: [configuration_text(plain(column[key])) if key in column else None for column in columns] for key in keys
    }
    rows = [(key, [cell(text) for text in own]) for key, own in texts.items() if all_keys or len(set(own)) > 1]
    return Table(name, title, "key", heads, rows)


def environment(runs: Sequence[Run]) -> Table:
    """Return what the runs ran on."""
    flat = [_flat(run.environment) for run in runs]
    names = dict.fromkeys(name for own in flat for name in own)
    rows = [(name, [cell(own.get(name)) for own in flat]) for name in names]
    return Table("environment", "What the runs ran on", "", [run.label for run in runs], rows)


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    packages = facts.get("packages")
    own = {name: value for name, value in facts.items() if name != "packages"}
    return own | (packages if isinstance(packages, dict) else {})


def _loss(value: float) -> str:
    return f"{value:.4f}" if isfinite(value) else "not finite"


def _percent(losses: Sequence[float]) -> float | None:
    if len(losses) < 2 or not losses[0] or not all(map(isfinite, (losses[0], losses[-1]))):
        return None
    return 100.0 * (losses[-1] / losses[0] - 1.0)


def _errors(change: PairedChange | None) -> float | None:
    known = change is not None and change.standard_error > 0 and isfinite(change.change)
    return change.change / change.standard_error if change is not None and known else None
