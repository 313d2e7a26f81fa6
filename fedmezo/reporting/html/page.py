"""The page: one HTML file that asks the network for nothing."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from fedmezo.core.version import __version__
from fedmezo.reporting.html import tables
from fedmezo.reporting.html.commands import commands, own_command
from fedmezo.reporting.html.costs import comparisons, cost_figures
from fedmezo.reporting.html.curves import client_figures, curves
from fedmezo.reporting.html.divisions import division_figures
from fedmezo.reporting.html.facts import run_facts
from fedmezo.reporting.html.figure import Figure
from fedmezo.reporting.html.gradients import gradient_figures
from fedmezo.reporting.html.groups import group_figures
from fedmezo.reporting.html.palette import style_sheet_head
from fedmezo.reporting.html.run import Run

WEB = files("fedmezo.reporting.html") / "web"
MOST_POINTS, MOST_OF_A_LINE = 40_000, 1_000  # of the whole page, of a line: what a screen can show, in about 1 MB
SCRIPTS = ("chart.umd.min.js", "values.js", "charts.js", "page.js")
MARKS = ("●", "▲", "■", "◆", "★", "✚", "▬")  # as charts.js draws them
DASHES = ("", "8 4", "2 3", "10 3 2 3", "5 2")


def render(runs: Sequence[Run]) -> str:
    """Return the page of some runs."""
    figures = {
        "curves": curves(runs),
        "clients": client_figures(runs),
        "groups": group_figures(runs),
        "partition": division_figures(runs),
        "gradients": gradient_figures(runs),
        "costs": cost_figures(runs),
    }
    style = style_sheet_head() + _text("style.css")
    scripts = [_text(name) for name in SCRIPTS]
    most = _most_points([figure for own in figures.values() for figure in own])
    return _environment().get_template("page.html.j2").render(
        title=_title(runs),
        version=__version__,
        runs=runs,
        marks=MARKS,
        dashes=DASHES,
        figures=figures,
        facts=[run_facts(run) for run in runs],
        thinned=_thinned(figures, most),
        summary=tables.summary(runs),
        differences=tables.configuration(runs),
        all_keys=tables.all_keys(runs),
        environment=tables.environment(runs),
        comparisons=comparisons(runs),
        commands=[(run, commands(run)) for run in runs],
        own_command=own_command(runs),
        data={
            "runs": [run.label for run in runs],
            "figures": [figure.to_json(most) for own in figures.values() for figure in own],
        },
        style=style,
        scripts=scripts,
        policy=_policy(style, scripts),
    )  # fmt: skip


def _title(runs: Sequence[Run]) -> str:
    return f"{runs[0].label} - FedMeZO report" if len(runs) == 1 else f"{len(runs)} runs - FedMeZO report"


def _most_points(figures: Sequence[Figure]) -> int:
    """Return how many points a line may have, so that the page stays small whatever it shows."""
    lines = sum(len(figure.series) for figure in figures if figure.kind == "lines")
    return max(2, min(MOST_OF_A_LINE, MOST_POINTS // max(1, lines)))


def _thinned(figures: Mapping[str, Sequence[Figure]], most: int) -> int | None:
    """Return to how many points lines were thinned; None if none was."""
    longest = max(
        (len(row.x) for own in figures.values() for f in own if f.kind == "lines" for row in f.series), default=0
    )
    return most if longest > most else None


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fedmezo.reporting.html", "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Return the content security policy: nothing from anywhere, and no script or style but the page's own."""
    allowed = " ".join(map(_source, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_source(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
