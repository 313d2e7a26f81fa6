"""The runs of a suite: each an ordinary run in a folder of its own, finished ones skipped, others gone on with."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Thread
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
    def outcome(self) -> str | None:
        """How the run ended; None where it has not."""
        try:
            found: str = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))["outcome"]
        except (OSError, ValueError, KeyError):
            return None
        return found

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.outcome in ("completed", "stopped early")

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do: it would diverge again."""
        return self.finished or self.outcome == "diverged"

    @property
    def config(self) -> Path:
        """Its configuration, once it has begun."""
        return self.folder / "config.yaml"

    def beginning(self, more: Sequence[str] = ()) -> list[str]:
        """Return the overrides of a new run, ``more`` of them included."""
        keys: dict[str, Any] = {"seed": self.seed, **self.arm.overrides, "expname": self.folder.name}
        return [*as_words(keys), "outdir", str(self.folder.parent), *more]

    def command(self, more: Sequence[str] = ()) -> list[str]:
        """Return the arguments of the runner: of a new run, or of what is left of one."""
        if self.config.exists():
            return ["--resume", str(self.folder), "--quiet"]
        return ["--cfg", str(self.arm.cfg), "--quiet", *self.beginning(more)]


def as_words(values: Mapping[str, Any]) -> list[str]:
    """Return values of keys as overrides of a command line."""
    return [word for key, value in values.items() for word in (key, json.dumps(value))]


def jobs(suite: Suite, out: Path) -> list[Job]:
    """Return the runs of a suite, seed by seed, so that one that is cut short has all arms of some seeds."""
    return [
        Job(arm, seed, out / suite.name / suite.scale / "runs" / f"{arm.name}_seed{seed}")
        for seed in range(1, suite.seeds + 1)
        for arm in suite.arms
    ]


def run_all(todo: Iterable[Job], workers: int, more: Sequence[str], *, fresh: bool) -> Iterator[tuple[Job, int]]:
    """Run jobs and yield each with its exit code as it ends.

    Args:
        todo: the jobs; each is asked for when there is a process for it, after the one that ended was yielded.
        workers: processes at a time.
        more: overrides for all of them.
        fresh: a process for each.
    """
    context = multiprocessing.get_context("spawn")
    waiting = iter(todo)
    each_fresh = 1 if fresh else None
    with ProcessPoolExecutor(workers, context, _end_with_the_program, max_tasks_per_child=each_fresh) as pool:
        running = {pool.submit(_run, job.command(more)): job for job in islice(waiting, workers)}
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for each in ended:
                yield running.pop(each), each.result()
                running |= {pool.submit(_run, job.command(more)): job for job in islice(waiting, 1)}


def _end_with_the_program() -> None:
    """Have this process end when the program that started it is killed: it would keep its run from being resumed."""

    def follow() -> None:
        program = multiprocessing.parent_process()
        if program is not None:
            program.join()
            os._exit(1)  # as if killed, which a run survives

    Thread(target=follow, daemon=True).start()


def _run(arguments: list[str]) -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from fedmezo.main import main

    return main(arguments)
