"""The tasks that can be asked, by name: ours over local files, lm_eval's own, and task files of the user's."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError, FedmezoError, ResourceError
from fedmezo.core.huggingface import hub_reachable
from fedmezo.core.installed import check_installed
from fedmezo.core.log import LOG
from fedmezo.core.text import listing, nearest
from fedmezo.evaluation.tasks.task_files import SUFFIXES, check_task_file

GSM8K, HELD_OUT = LOCAL = ("gsm8k_local", "held_out")  # ours


def check_tasks(names: Sequence[str]) -> None:
    """Make sure that lm_eval is there and that there are tasks of these names; torch is not imported.

    Raises:
        ConfigurationError: there is no such task, a file is none, two would have the same answers' file, or lm_eval is
            not installed.
        ResourceError: a data file that a task file names is missing.
    """
    check_installed("--tasks", {"lm_eval": "eval"})
    _check_apart(names)
    for name in names:
        if name.endswith(SUFFIXES):
            if not Path(name).is_file():
                raise ConfigurationError(f"--tasks {name}\n    there is no such file")
            check_task_file(Path(name))
        elif name not in LOCAL:
            _check_known(name)


def task_name(task: str) -> str:
    """Return what the files of a task's answers are called: a task file's name without its ending."""
    return Path(task).stem if task.endswith(SUFFIXES) else task


def _check_apart(names: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(task_name(name), name)
        if other != name:
            raise ConfigurationError(
                f"--tasks {other} {name}\n    the answers to both would be in {task_name(name)}.jsonl; expected task "
                "files whose names differ"
            )


def _check_known(name: str) -> None:
    own = _manager().all_tasks
    if name not in own:
        raise ConfigurationError(
            f"--tasks {name}\n    no such task{nearest(name, (*LOCAL, *own))}\n    expected {listing(LOCAL)}, "
            f"a task file ending in .yaml, or one of the {len(own):,} tasks of lm_eval (lm_eval ls tasks)"
        )


@lru_cache(maxsize=1)
def _manager() -> Any:
    """Return lm_eval's manager of its own tasks, which reads thousands of files."""
    from lm_eval.tasks import TaskManager

    LOG.info("Reading the names of lm_eval's tasks ...")
    return TaskManager()


@dataclass(frozen=True, eq=False)
class Loaded:
    """A task, or several, with their data.

    Args:
        parts: tasks and groups of tasks, as lm_eval takes them.
        hash: of all questions and of how answers are judged, 32 hexadecimal digits.
    """

    parts: list[Any]
    hash: str


def load_task(name: str, run_code: bool) -> Loaded:
    """Return what a name stands for: a task, a group of tasks, or those of a tag.

    Args:
        name: of lm_eval, or the path of a task file.
        run_code: whether code that a model writes may be run, which is how some tasks judge it.

    Raises:
        ResourceError: the data cannot be had.
        ConfigurationError: the task runs code, or the user's task file is wrong.
    """
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False) if name.endswith(SUFFIXES) else _manager()
    try:
        found = manager.load([name])
    except Exception as error:  # tasks are programs of many authors: their errors have no root of their own
        raise _refusal(name, error) from error
    tasks = found["tasks"]
    if not run_code and any(getattr(task, "UNSAFE_CODE", False) for task in tasks.values()):
        raise ConfigurationError(
            f"--tasks {name}\n    it runs code that the model writes, on this machine; expected with --run-code"
        )
    _check_metrics(name, tasks.values())
    parts = [found["groups"][name]] if name in found.get("groups", {}) else list(tasks.values())
    return Loaded(parts, _hash(tasks.values()))


def _check_metrics(name: str, tasks: Iterable[Any]) -> None:
    """Make sure that lm_eval found all metrics: it goes on without, and fails after all is answered."""
    from lm_eval.api.task import ConfigurableTask

    for task in tasks:
        if type(task) is ConfigurableTask and task.config.process_results is None:  # else it has ways of its own
            for metric, function in task._metric_fn_list.items():
                if function is None:
                    raise ConfigurationError(f"--tasks {name}\n    there is no metric {metric}")


def _hash(tasks: Iterable[Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for task in tasks:
        for part in (task.dump_config(), *task.eval_docs):
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _refusal(name: str, error: Exception) -> FedmezoError:
    """Return what to tell of a task that cannot be loaded: data are out of reach, or the user's file is wrong."""
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    said = next(iter(str(error).strip().splitlines()), "")
    if name.endswith(SUFFIXES) and not isinstance(error, OSError | DatasetsError):
        return ConfigurationError(f"--tasks {name}\n    it is no task: {type(error).__name__}: {said}")
    of_hub = isinstance(error, ConnectionError | DatasetNotFoundError)
    hint = f"\n    the hub cannot be reached; {' and '.join(LOCAL)} need none" if of_hub and not hub_reachable() else ""
    return ResourceError(f"--tasks {name}\n    it cannot be loaded: {said or type(error).__name__}{hint}")


@contextmanager
def surroundings(name: str) -> Iterator[None]:
    """Keep lm_eval to its errors inside the block, and from a hub that a task does not need or that is out of reach."""
    import datasets

    logger, settings = logging.getLogger("lm_eval"), datasets.config
    before = logger.level, settings.HF_HUB_OFFLINE, settings.HF_DATASETS_CACHE
    shown = not datasets.are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    if not needs_hub(name):
        settings.HF_DATASETS_CACHE = str(cache_folder() / "datasets")
    if not needs_hub(name) or not hub_reachable():
        settings.HF_HUB_OFFLINE = True  # what was downloaded before may be in the library's cache
    try:
        yield
    finally:
        level, settings.HF_HUB_OFFLINE, settings.HF_DATASETS_CACHE = before
        logger.setLevel(level)
        if shown:
            datasets.enable_progress_bars()


def needs_hub(name: str) -> bool:
    """Return whether a task, or a task file, may have its data from a hub."""
    return Path(name).stem not in LOCAL
