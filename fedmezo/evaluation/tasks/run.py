"""Running tasks through lm_eval."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import lm_eval
from lm_eval.tasks import TaskManager

from fedmezo.core.randomness import preserved_torch_state
from fedmezo.evaluation.tasks.model import CachingModel


def run_tasks(model: CachingModel, tasks: Sequence[Any], limit: int | None, run_code: bool) -> Mapping[str, Any]:
    """Return what lm_eval finds: results, versions, and samples with every answer.

    lm_eval seeds global generators, as it does on its own, so that tasks that draw have its draws.

    Args:
        model: to evaluate.
        tasks: of :func:`fedmezo.evaluation.tasks.tasks.load_task`.
        limit: examples of each task, the first ones; None for all.
        run_code: whether code that the model writes may be run.
    """
    if run_code:
        os.environ["HF_ALLOW_CODE_EVAL"] = "1"
    with preserved_torch_state():
        found: Mapping[str, Any] = lm_eval.simple_evaluate(
            model=model,
            tasks=list(tasks),
            task_manager=TaskManager(include_defaults=False),  # the tasks are loaded already
            limit=limit,
            confirm_run_unsafe_code=run_code,
        )
    return found
