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

from fedmezo.cache import cache_folder
from fedmezo.data.nearest import listing, nearest_name
from fedmezo.errors import ConfigurationError, ResourceError
from fedmezo.hub import hub_reachable
from fedmezo.installed import check_installed
from fedmezo.log import LOG

LOCAL = ("gsm8k_local",)
SUFFIXES = (".yaml", ".yml")


def check_tasks(names: Sequence[str]) -> None:
    """Make sure that lm_eval is there and that there are tasks of these names; torch is not imported.

    Raises:
        ConfigurationError: there is no such task, or lm_eval is not installed.
    """
    check_installed("--tasks", {"lm_eval": "eval"})
    for name in names:
        if name.endswith(SUFFIXES):
            if not Path(name).is_file():
                raise ConfigurationError(f"--tasks {name}\n    there is no such file")
        elif name not in LOCAL:
            _check_known(name)


def _check_known(name: str) -> None:
    own = _manager().all_tasks
    if name not in own:
        raise ConfigurationError(
            f"--tasks {name}\n    no such task{nearest_name(name, (*LOCAL, *own))}\n    expected {listing(LOCAL)}, "
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
        digest: hash of all that is asked and how it is judged, 32 hexadecimal digits.
    """

    parts: list[Any]
    digest: str


def load_task(name: str, run_code: bool) -> Loaded:
    """Return what a name stands for: a task, a group of tasks, or those of a tag.

    Args:
        name: of lm_eval, or the path of a task file.
        run_code: whether code that a model writes may be run, which is how some tasks judge it.

    Raises:
        ResourceError: the data cannot be had, or the file is no task.
        ConfigurationError: the task runs code.
    """
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False) if name.endswith(SUFFIXES) else _manager()
    try:
        found = manager.load([name])
    except Exception as error:  # tasks are programs of many authors: their errors have no root of their own
        said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise ResourceError(f"--tasks {name}\n    it cannot be loaded: {said}{_hint(name)}") from error
    tasks = found["tasks"]
    if not run_code and any(getattr(task, "UNSAFE_CODE", False) for task in tasks.values()):
        raise ConfigurationError(
            f"--tasks {name}\n    it runs code that the model writes, on this machine; expected with --run-code"
        )
    parts = [found["groups"][name]] if name in found.get("groups", {}) else list(tasks.values())
    return Loaded(parts, _digest(tasks.values()))


def _digest(tasks: Iterable[Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for task in tasks:
        for part in (task.dump_config(), *task.eval_docs):
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _hint(name: str) -> str:
    return (
        ""
        if not needs_hub(name) or hub_reachable()
        else f"\n    the hub cannot be reached; {listing(LOCAL)} needs none"
    )


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
