"""What ``python -m fedmezo.evaluate`` does: tasks put to a run's model at some of its rounds."""

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn
from yacs.config import CfgNode

from fedmezo.commands.load_run import Rebuilt, RoundSelector, rebuild, rounds_done
from fedmezo.commands.local_tasks import check_local, write_local
from fedmezo.core.files import saving
from fedmezo.core.log import LOG
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.text import when
from fedmezo.evaluation.tasks.answer_cache import AnswerCache
from fedmezo.evaluation.tasks.model import CachingModel
from fedmezo.evaluation.tasks.results import Result, read_result, write_result
from fedmezo.evaluation.tasks.run import run_tasks
from fedmezo.evaluation.tasks.table import results_table
from fedmezo.evaluation.tasks.tasks import LOCAL, load_task, surroundings, task_name
from fedmezo.models.hashing import point_hash

FOLDER = "evaluation"


@dataclass(frozen=True)
class Questions:
    """Which tasks are run, and how.

    Args:
        tasks: names, or paths of task files.
        data: the folder of local files.
        batch_size: examples at a time.
        limit: examples of each task, the first ones; None for all.
        run_code: whether code that the model writes may be run.
    """

    tasks: tuple[str, ...]
    data: Path
    batch_size: int
    limit: int | None = None
    run_code: bool = False


def evaluate(cfg: CfgNode, folder: RunFolder, rounds: Sequence[RoundSelector], questions: Questions) -> str:
    """Put tasks to the model of a run after several numbers of rounds, and return the scores as a table.

    Answers are cached in the run's folder, under ``evaluation``, and are not generated again.

    Args:
        cfg: of the run.
        folder: of the run.
        rounds: numbers of rounds, final, or best; the others are compared with the first.
        questions: which tasks, and how.

    Raises:
        ConfigurationError: there is no such round.
        ResourceError: model, tasks or data cannot be had.
    """
    points = {rounds_done(cfg, folder, wanted): wanted for wanted in rounds}
    check_local(cfg, questions.tasks, questions.data)
    try:
        results = [_results(cfg, folder, wanted, questions) for wanted in points.values()]
    except KeyboardInterrupt:
        LOG.warning("fedmezo: what was answered is kept; the same command goes on from there")
        raise
    return "\n".join(results_table(found) for found in zip(*results, strict=True))


def _results(cfg: CfgNode, folder: RunFolder, wanted: RoundSelector, questions: Questions) -> list[Result]:
    """Return the result of each task at one point; all are loaded before the first is run."""
    rebuilt = rebuild(cfg, folder, wanted)
    files = {
        name: write_local(name, cfg, folder.path / FOLDER, questions.data, rebuilt)
        for name in questions.tasks
        if name in LOCAL
    }
    runs = [TaskRun(folder, rebuilt, files.get(name, name), questions) for name in questions.tasks]
    with rebuilt.trainable.scorer.at(rebuilt.point) as model:
        return [run.result(model) for run in runs]


def _result_folder(path: Path) -> RunFolder:
    with saving(path):
        path.mkdir(parents=True, exist_ok=True)
    return RunFolder(path)


class TaskRun:
    """A task for a model after some of its rounds; its data are loaded, or the answers are there already.

    Args:
        folder: of the run.
        rebuilt: the model.
        task: name, or path of the task file.
        questions: how it is run.
    """

    def __init__(self, folder: RunFolder, rebuilt: Rebuilt, task: str, questions: Questions) -> None:
        self._rebuilt, self._task, self._questions = rebuilt, task, questions
        self._name = task_name(task)
        self._folder = _result_folder(folder.path / FOLDER / f"after_{rebuilt.rounds_done}")
        with surroundings(task):
            self._loaded = load_task(task, questions.run_code)
        self._settings = {
            "parameters": point_hash(rebuilt.point).hex(),
            "task": self._loaded.hash,
            "limit": questions.limit,
            "batch_size": questions.batch_size,
            "lm_eval": importlib.metadata.version("lm_eval"),
        }

    def result(self, model: nn.Module) -> Result:
        """Return its result, running what was not run before."""
        done = self._rebuilt.rounds_done
        known = read_result(self._folder, self._name, done, self._settings)
        LOG.info(f"{when(done)}: {self._name}" + (", answered before" if known else ""))
        return known or self._run(model, done)

    def _run(self, model: nn.Module, done: int) -> Result:
        cache = AnswerCache(self._folder.path / f"{self._name}.part", self._settings)
        started = time.perf_counter()
        with surroundings(self._task):
            caching = CachingModel(
                model, self._rebuilt.trainable.tokenizer.tokenizer, self._questions.batch_size, cache
            )
            found = run_tasks(caching, self._loaded.parts, self._questions.limit, self._questions.run_code)
        seconds = time.perf_counter() - started
        result = write_result(self._folder, self._name, done, self._settings, seconds, found)
        cache.remove()
        return result
