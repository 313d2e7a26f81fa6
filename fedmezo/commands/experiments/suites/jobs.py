"""The runs of a suite: each an ordinary run in a folder of its own, finished ones skipped, others gone on with."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

from fedmezo.commands.arguments import read_run
from fedmezo.commands.experiments.suites.evaluation import Evaluation
from fedmezo.commands.experiments.suites.suite import Arm, Suite
from fedmezo.commands.runner import Prepared, begun_run, new_run, trained_code
from fedmezo.config.overrides import as_words
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.log import on_screen
from fedmezo.core.process import begin, exit_code, leave_on_interrupt, raise_on_interrupt
from fedmezo.core.signals import handled_by
from fedmezo.evaluation.tasks.tasks import task_name


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a suite.

    Args:
        arm: of the suite.
        seed: of the run.
        folder: of the run.
        evaluation: what is asked of it after training.
    """

    arm: Arm
    seed: int
    folder: Path
    evaluation: Evaluation | None = None

    @property
    def outcome(self) -> str | None:
        """How the run ended; None where it has not."""
        try:
            return str(self.read("summary.json")["outcome"])
        except (OSError, ValueError, KeyError):
            return None

    def read(self, name: str) -> dict[str, Any]:
        """Return the object of a JSON file of its folder."""
        found: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return found

    @property
    def trained(self) -> bool:
        """Whether the run has come to its end."""
        return self.outcome in ("completed", "stopped early")

    @property
    def finished(self) -> bool:
        """Whether it is trained, and its tasks are answered."""
        return self.trained and all(self.scores(rounds) for rounds in self._asked)

    @property
    def _asked(self) -> Sequence[int | str]:
        return self.evaluation.rounds if self.evaluation else ()

    def scores(self, rounds: int | str) -> list[dict[str, Any]]:
        """Return what its tasks gave after some rounds, which may be ``final``; [] until all are answered."""
        try:
            after = self.read("summary.json")["rounds"] if rounds == "final" else rounds
            names = [task_name(task) for task in self.evaluation.tasks] if self.evaluation else []
            found = [self.read(f"evaluation/after_{after}/{name}.json")["scores"] for name in names]
        except (OSError, ValueError, KeyError):
            return []
        return [score for scores in found for score in scores]

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

    def prepared(self, more: Sequence[str] = ()) -> Prepared:
        """Return its run, new or gone on with; ``more``: overrides of a new one."""
        if self.config.exists():
            return begun_run(self.folder, ())
        return new_run(self.arm.cfg, self.beginning(more))


def jobs(suite: Suite, out: Path) -> list[Job]:
    """Return the runs of a suite, seed by seed, so that one that is cut short has all arms of some seeds."""
    return [
        Job(arm, seed, folder_of_runs(suite, out) / f"{arm.name}_seed{seed}", suite.evaluation)
        for seed in range(1, max((arm.seeds for arm in suite.arms), default=0) + 1)
        for arm in suite.arms
        if seed <= arm.seeds
    ]


def folder_of_runs(suite: Suite, out: Path) -> Path:
    """Return the folder of a suite's runs."""
    return out / suite.name / suite.scale / "runs"


def run_all(todo: Iterable[Job], workers: int, more: Sequence[str], *, fresh: bool) -> Iterator[tuple[Job, int]]:
    """Run jobs and yield each with its exit code as it ends.

    Args:
        todo: the jobs; each is asked for when there is a process for it, after the one that ended was yielded.
        workers: processes at a time.
        more: overrides for all of them.
        fresh: a process for each.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fedmezo.commands.train"])  # else each process imports for seconds
    waiting = iter(todo)
    each_fresh = 1 if fresh else None
    with (
        ExitStack() as last,
        ProcessPoolExecutor(workers, context, _begin, max_tasks_per_child=each_fresh) as pool,
        _interrupted_together(last),
    ):
        running = {pool.submit(_run, job, more): job for job in islice(waiting, workers)}
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for each in ended:
                yield running.pop(each), each.result()
                running |= {pool.submit(_run, job, more): job for job in islice(waiting, 1)}


@contextmanager
def _interrupted_together(last: ExitStack) -> Iterator[None]:
    """Have the runs end with their round where only this process is asked to stop; twice the same is one request.

    Args:
        last: left once the pool has ended. Until then signals are passed on to the runs: an exception in the middle of
            the pool's end would keep it from ending.
    """
    try:
        yield
    except KeyboardInterrupt:
        last.enter_context(handled_by(lambda number, frame: _terminate()))
        _terminate()
        raise


def _terminate() -> None:
    for process in multiprocessing.active_children():
        process.terminate()


def _begin() -> None:
    """Begin as a program does, and end when the program that started this process is killed.

    A process that stayed would keep its run from being resumed.
    """

    def follow() -> None:
        program = multiprocessing.parent_process()
        if program is not None:
            program.join()
            os._exit(1)  # as if killed, which a run survives

    begin()
    Thread(target=follow, daemon=True).start()


def _run(job: Job, more: Sequence[str]) -> int:
    try:
        return _trained(job, more) or _evaluated(job)
    finally:
        leave_on_interrupt()  # between two runs there is nothing to be saved


def _trained(job: Job, more: Sequence[str]) -> int:
    return 0 if job.trained else exit_code(lambda: _train(job, more))


@named_mistakes()
def _train(job: Job, more: Sequence[str]) -> int:
    return trained_code(job.prepared(more), quiet=True)


def _evaluated(job: Job) -> int:
    asked = job.evaluation
    if asked is None:
        return 0
    with (job.folder / "evaluation.log").open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        return exit_code(lambda: _evaluate(job.folder, asked))


@named_mistakes()
def _evaluate(path: Path, asked: Evaluation) -> int:
    from fedmezo.commands.evaluate import Questions, evaluate

    raise_on_interrupt()
    folder, cfg = read_run(path)
    questions = Questions(
        tuple(dict.fromkeys(asked.tasks)), Path(cfg.data.root), cfg.eval.batch_size, asked.limit, asked.run_code
    )
    with on_screen(1):
        print(evaluate(cfg, folder, asked.rounds, questions))
    return 0
