"""The runs of a suite: each an ordinary run in a folder of its own, finished ones skipped, others gone on with."""

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmezo.suites.suite import Arm, Suite


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a suite.

    Args:
        arm: of the suite.
        seed: of the run.
        folder: of the run.
    """

    arm: Arm
    seed: int
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        try:
            found = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))["outcome"]
        except (OSError, ValueError, KeyError):
            return False
        return found in ("completed", "stopped early")

    def command(self, more: Sequence[str] = ()) -> list[str]:
        """Return the arguments of the runner: of a new run, or of what is left of one."""
        if (self.folder / "config.yaml").exists():
            return ["--resume", str(self.folder), "--quiet"]
        keys: dict[str, Any] = {**self.arm.overrides, "seed": self.seed, "expname": self.folder.name}
        pairs = [word for key, value in keys.items() for word in (key, json.dumps(value))]
        return ["--cfg", str(self.arm.cfg), "--quiet", *pairs, "outdir", str(self.folder.parent), *more]


def jobs(suite: Suite, out: Path) -> list[Job]:
    """Return the runs of a suite, seed by seed, so that one that is cut short has all arms of some seeds."""
    return [
        Job(arm, seed, out / suite.name / suite.scale / "runs" / f"{arm.name}_seed{seed}")
        for seed in range(1, suite.seeds + 1)
        for arm in suite.arms
    ]


def run_all(todo: Sequence[Job], workers: int, more: Sequence[str], *, fresh: bool) -> Iterator[tuple[Job, int]]:
    """Run jobs and yield each with its exit code as it ends.

    Args:
        todo: the jobs.
        workers: processes at a time.
        more: overrides for all of them.
        fresh: a process for each.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, max_tasks_per_child=1 if fresh else None) as pool:
        running = {pool.submit(_run, job.command(more)): job for job in todo}
        for done in as_completed(running):
            yield running[done], done.result()


def _run(arguments: list[str]) -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from fedmezo.main import main

    return main(arguments)
