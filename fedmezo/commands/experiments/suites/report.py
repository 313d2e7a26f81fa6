"""Everything that a suite leaves: tidy rows, tables, a figure, the environment, and a page that shows them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedmezo.commands.experiments.suites.figures import draw
from fedmezo.commands.experiments.suites.jobs import Job
from fedmezo.commands.experiments.suites.protocol import changes
from fedmezo.commands.experiments.suites.rates import screened
from fedmezo.commands.experiments.suites.results import Finished, counted, tidy, write_csv
from fedmezo.commands.experiments.suites.suite import Suite
from fedmezo.commands.experiments.suites.tables import AGAINST, FACTOR, Table, latex, markdown, measured

BUDGET = (
    "Forwards are those of all clients, by operations of matrix products. Values are those at the budget, on the "
    "line between two evaluations, or at the end where less was spent. Factors: mean of the ratios seed by seed."
)
SCREENED = (
    "Rates were chosen by the loss of validation examples at the budget, with a seed of their own, and more were tried "
    "until the best lay between two others (in bold):"
)


def write(suite: Suite, jobs: Sequence[Job], folder: Path, command: str) -> Path:
    """Write the results of a suite and return the page's path.

    Args:
        suite: at its scale.
        jobs: its runs.
        folder: of the results.
        command: that made them.

    Raises:
        ResourceError: the folder of a finished run is damaged.
    """
    runs, others = counted(jobs)
    folder.mkdir(parents=True, exist_ok=True)
    table = measured(suite, runs)
    write_csv(folder / "runs.csv", tidy(runs, [*(["peak_memory_mib"] if suite.fresh else []), *_tasks(suite)]))
    (folder / "table.tex").write_text(latex(table, suite.title, suite.name), encoding="utf-8")
    machines = environments(runs)
    (folder / "environment.json").write_text(json.dumps(machines, indent=2) + "\n", encoding="utf-8")
    picture = draw(suite, runs, folder / "figure")[0]
    page = folder / "README.md"
    page.write_text(_page(suite, runs, others, table, picture.name, command, machines), encoding="utf-8")
    return page


def _tasks(suite: Suite) -> list[str]:
    return list(dict.fromkeys(name.rpartition("@")[0] for name in suite.columns if ":" in name))


def _after(suite: Suite) -> str:
    named = ", ".join("the appendix" if item == "appendix" else item for item in suite.items if item != "our own")
    return f"After {named} of {suite.work}" if named else "An addition of our own"


def environments(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """Return what the runs ran on, as each of them noted it, with the names of those that have it in common."""
    found: list[dict[str, Any]] = []
    for run in runs:
        alike = [row for row in found if row | {"runs": []} == run.environment | {"runs": []}]
        own = alike[0] if alike else run.environment | {"runs": []}
        own["runs"].append(run.job.folder.name)
        found += [] if alike else [own]
    return found


def _machine(facts: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {facts['packages'][name]}" for name in ("torch", "transformers", "peft"))
    where = facts["gpu"] or f"{facts['processor']}, {facts['cores']} cores"
    return f"{where}; Python {facts['python']}, {packages}"


def _page(
    suite: Suite,
    runs: Sequence[Finished],
    others: Mapping[str, str],
    table: Table,
    picture: str,
    command: str,
    machines: Sequence[Mapping[str, Any]],
) -> str:
    ran_on = ", and ".join(dict.fromkeys(map(_machine, machines)))
    commits = ", ".join(dict.fromkeys(facts["commit"][:7] for facts in machines if facts["commit"]))
    parts = [
        f"# {suite.title}\n",
        f"{_after(suite)}; scale `{suite.scale}`. {suite.note}".strip() + "\n",
        f"`{command}`, {len(runs)} of {suite.runs} runs; {ran_on}; commit {commits or 'unknown'}. "
        "Means over seeds with 90 % intervals (Student's t).\n",
        markdown(table),
    ]
    if others:
        parts.append(f"Not counted: {', '.join(f'{name} ({why})' for name, why in others.items())}.\n")
    if AGAINST in table[0]:
        parts.append("Against the baseline: mean of the differences seed by seed; * its 90 % interval excludes 0.\n")
    if FACTOR in table[0]:
        parts.append(f"{BUDGET}\n")
    if suite.tried:
        parts.append(f"{SCREENED}\n\n" + markdown(screened(suite)))
    if suite.published.source:
        parts.append(f"Published: {suite.published.source}. {suite.published.note}".strip() + "\n")
    if suite.published.columns:
        parts.append(markdown((list(suite.published.columns), list(map(list, suite.published.rows)))))
    if differences := changes(suite, runs):
        parts.append(f"The published settings, where those here differ from them (of {differences.arm}):\n")
        parts.append(markdown(differences.table))
    parts.append(f"![{suite.title}]({picture})\n")
    return "\n".join(parts)
