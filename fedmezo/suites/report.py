"""Everything that a suite leaves: tidy rows, tables, a figure, the environment, and a page that shows them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedmezo.environment import environment
from fedmezo.suites.figures import draw
from fedmezo.suites.results import Finished, tidy, write_csv
from fedmezo.suites.suite import Suite
from fedmezo.suites.tables import AGAINST, Table, latex, markdown, measured


def write(suite: Suite, runs: Sequence[Finished], folder: Path, command: str) -> Path:
    """Write the results of a suite and return the page's path.

    Args:
        suite: at its scale.
        runs: those that have come to their end.
        folder: of the results.
        command: that made them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = measured(suite, runs)
    write_csv(folder / "runs.csv", tidy(runs))
    (folder / "table.tex").write_text(latex(table, suite.title, suite.name), encoding="utf-8")
    facts = environment()
    (folder / "environment.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    picture = draw(suite, runs, folder / "figure")[0]
    page = folder / "README.md"
    page.write_text(_page(suite, runs, table, picture.name, command, facts), encoding="utf-8")
    return page


def _page(
    suite: Suite, runs: Sequence[Finished], table: Table, picture: str, command: str, facts: Mapping[str, Any]
) -> str:
    packages = ", ".join(f"{name} {facts['packages'][name]}" for name in ("torch", "transformers", "peft"))
    parts = [
        f"# {suite.title}\n",
        f"After {', '.join(suite.items)} of Ling et al. (KDD 2024); scale `{suite.scale}`. {suite.note}\n",
        f"`{command}`, {len(runs)} of {suite.seeds * len(suite.arms)} runs; {facts['processor']}, {facts['cores']} "
        f"cores; Python {facts['python']}, {packages}. Means over seeds with 90 % "
        "intervals (Student's t).\n",
        markdown(table),
    ]
    if AGAINST in table[0]:
        parts.append("Against the baseline: mean of the differences seed by seed; * its 90 % interval excludes 0.\n")
    if suite.published:
        header, rows = suite.published["columns"], suite.published["rows"]
        parts.append(f"Published{suite.published.get('note', '')}:\n")
        parts.append(markdown(([str(cell) for cell in header], [[str(cell) for cell in row] for row in rows])))
    parts.append(f"![{suite.title}]({picture})\n")
    return "\n".join(parts)
