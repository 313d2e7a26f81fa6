"""What a sweep leaves: trials.csv, and a page with the best trial's command."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands.experiments.suites.results import Row, write_csv
from fedmezo.commands.experiments.suites.tables import markdown
from fedmezo.commands.experiments.sweeps.sweep import Sweep
from fedmezo.commands.experiments.sweeps.trials import Trial
from fedmezo.config.overrides import as_words


def leave(sweep: Sweep, ended: Sequence[Trial], out: Path, overrides: Sequence[str]) -> None:
    """Write trials.csv and README.md.

    Args:
        sweep: it.
        ended: its trials that have, the best first.
        out: the folder.
        overrides: of all trials.
    """
    rows: list[Row] = [
        {"trial": trial.number, **trial.values, sweep.metric: "failed" if trial.score is None else trial.score}
        for trial in ended
    ]
    if not rows:
        return
    write_csv(out / "trials.csv", rows)
    cells = [[f"{cell:.5g}" if isinstance(cell, float) else str(cell) for cell in row.values()] for row in rows]
    best = shlex.join([*as_words({"seed": sweep.seed, **sweep.fixed, **ended[0].values}), *overrides])
    found = "" if ended[0].score is None else f"\nThe best: `python -m fedmezo.main --cfg {sweep.cfg} {best}`\n"
    text = f"# {sweep.title or sweep.name}\n\n{len(rows)} of {sweep.size} trials ({sweep.sampler}), the best first.\n\n"
    (out / "README.md").write_text(text + markdown((list(rows[0]), cells)) + found, encoding="utf-8")
