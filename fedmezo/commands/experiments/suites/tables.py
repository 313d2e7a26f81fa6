"""Tables of a suite: Markdown for the eye, LaTeX for a paper."""

import math
from collections.abc import Iterable, Mapping, Sequence

from fedmezo.commands.experiments.suites.interval import Interval, interval
from fedmezo.commands.experiments.suites.results import UNITS, Finished
from fedmezo.commands.experiments.suites.suite import Suite

AGAINST = "drop, against baseline"
FACTOR = "drop, in times the baseline's"
ALIKE = 1e-12  # of a mean: what equal values are apart by rounding

Table = tuple[list[str], list[list[str]]]  # a header, and rows


def measured(suite: Suite, runs: Sequence[Finished]) -> Table:
    """Return a row for each arm: means over seeds, what is published, the drop against the baseline, seed by seed.

    Where some seeds of an arm do not count, the row says how many do. An arm's baseline differs from it on those axes
    only that the suite's baseline names.
    """
    header = [*suite.axes, "seeds", *(UNITS.get(name, name) for name in suite.columns)]
    header += [f"published {name}" for name in suite.published.beside]
    drops = _drops(runs)
    compared = bool(suite.baseline)
    against, heading = (_factor, FACTOR) if any(arm.budget for arm in suite.arms) else (_against, AGAINST)
    if compared:
        header.append(heading)
    rows = []
    for arm in suite.arms:
        own = [run for run in runs if run.job.arm == arm]
        cells = [shown(interval([run.measure(name) for run in own])) for name in suite.columns]
        cells += [values.get(tuple(arm.labels.values()), "-") for values in suite.published.beside.values()]
        if compared:
            base = {**arm.labels, **suite.baseline}
            same = arm.labels == base
            cells.append("baseline" if same else against(drops.get(_key(arm.labels), {}), drops.get(_key(base), {})))
        seeds = str(len(own)) if len(own) == arm.seeds else f"{len(own)} of {arm.seeds}"
        rows.append([*arm.labels.values(), seeds, *cells])
    return header, rows


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _drops(runs: Sequence[Finished]) -> dict[tuple[tuple[str, str], ...], dict[int, float]]:
    found: dict[tuple[tuple[str, str], ...], dict[int, float]] = {}
    for run in runs:
        found.setdefault(_key(run.job.arm.labels), {})[run.job.seed] = run.measure("drop")
    return found


def _against(own: Mapping[int, float], baseline: Mapping[int, float]) -> str:
    """Return the mean difference over the seeds that both have; marked where its interval excludes 0."""
    found = interval([own[seed] - baseline[seed] for seed in sorted(own.keys() & baseline.keys())])
    sign = "+" if found.mean > 0 else ""
    return f"{sign}{shown(found)}{' *' if found.excludes_zero else ''}"


def _factor(own: Mapping[int, float], baseline: Mapping[int, float]) -> str:
    """Return the mean ratio over the seeds that both have."""
    return shown(interval([factor(own[seed], baseline[seed]) for seed in sorted(own.keys() & baseline.keys())]))


def factor(drop: float, baseline: float) -> float:
    """Return how many times as far as the baseline a run lowers the loss; NaN where the baseline does not."""
    return drop / baseline if baseline > 0 else math.nan


def shown(value: Interval) -> str:
    """Return a mean and the half-width of its interval, as many digits as that has to say."""
    if not value.count:
        return "-"
    if math.isnan(value.half_width) or value.half_width <= ALIKE * abs(value.mean):
        return f"{value.mean:.4g}" if abs(value.mean) < 1e4 else f"{value.mean:,.0f}"
    if value.half_width < 1e-6:
        return f"{value.mean:.2g} ± {value.half_width:.2g}"
    digits = max(0, 1 - math.floor(math.log10(value.half_width)))
    return f"{value.mean:,.{digits}f} ± {value.half_width:,.{digits}f}"


def markdown(table: Table) -> str:
    """Return a table in Markdown."""
    header, rows = table
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def latex(table: Table, caption: str, label: str) -> str:
    r"""Return a table in LaTeX (\usepackage{booktabs})."""
    header, rows = table
    body = "".join(f"    {_cells(row)} \\\\\n" for row in rows)
    return (
        "\\begin{table}\n  \\centering\n"
        f"  \\caption{{{_escaped(caption)}}}\n  \\label{{tab:{label}}}\n"
        f"  \\begin{{tabular}}{{{'l' * len(header)}}}\n    \\toprule\n    {_cells(header)} \\\\\n    \\midrule\n"
        f"{body}    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n"
    )


def _cells(cells: Iterable[str]) -> str:
    return " & ".join(_escaped(cell).replace("±", "$\\pm$") for cell in cells)


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in text)
