"""What ``python -m fedmezo.report`` does: the report of runs, written."""

import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo.core import run_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.process import raise_on_interrupt
from fedmezo.core.run_folder import RunFolder

NAME = "report.html"
SUFFIXES = (".html", ".htm")


def report(paths: Sequence[Path], out: Path | None = None) -> None:
    """Write the report, and say where it is and what of the runs is missing.

    Args:
        paths: the folders of runs, finished or not.
        out: the page's file; None: in a single run's folder, or here.

    Raises:
        ConfigurationError: ``out`` is not the name of a page, or there is no such folder.
        ResourceError: there is no run in a folder, or the page cannot be written.
    """
    folders = [run_folder.existing(path) for path in paths]
    target = out or (folders[0].path / NAME if len(folders) == 1 else Path(NAME))
    _check_target(target)
    from fedmezo.reporting.html.page import render  # mistakes are told before
    from fedmezo.reporting.html.reading import read_runs

    raise_on_interrupt()
    runs = read_runs(folders)
    page = render(runs)
    RunFolder(target.parent).write_text(target.name, page)
    for run in runs:
        for note in run.notes:
            print(f"{run.label}: {note}", file=sys.stderr)
    print(f"report: {target} ({len(page.encode()) / 1e6:.1f} MB, {', '.join(f'{r.label}: {r.outcome}' for r in runs)})")


def _check_target(path: Path) -> None:
    """Make sure that nothing but a page is overwritten."""
    if path.suffix not in SUFFIXES or path.is_dir():
        raise ConfigurationError(f"--out {path}\n    expected the name of a page, as in {path.with_suffix('.html')}")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--out {path}\n    there is no folder {path.parent}")
