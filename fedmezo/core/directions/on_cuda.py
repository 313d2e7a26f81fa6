"""Tasks on CUDA devices: compiled by Triton; in plain torch operations where it cannot be had, which is told once."""

from collections.abc import Callable
from functools import cache

from fedmezo.core.directions import torch_kernel
from fedmezo.core.directions.task import Task
from fedmezo.core.log import LOG

NO_COMPILER = "C compiler"  # in what Triton says where it finds none to build its launcher with


class OnCuda:
    """What does tasks: Triton, until it turns out that it cannot."""

    def __init__(self, compiled: Callable[[Task], None] | None) -> None:
        self._compiled = compiled

    def __call__(self, task: Task) -> None:
        """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
        if self._compiled is not None:
            try:
                self._compiled(task)
            except RuntimeError as error:
                if NO_COMPILER not in str(error):
                    raise
                _tell(str(error).splitlines()[0])
                self._compiled = None  # not looked for at every launch
            else:
                return
        torch_kernel.accumulate(task)


def accumulate(task: Task) -> None:
    """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
    _on_cuda()(task)


@cache
def _on_cuda() -> OnCuda:
    """Return what does tasks in this process. Where there is no CUDA device Triton is not imported."""
    try:
        from fedmezo.core.directions import triton_kernel
    except ImportError:
        _tell("triton is not installed")
        return OnCuda(None)
    return OnCuda(triton_kernel.accumulate)


def _tell(why: str) -> None:
    LOG.warning(f"directions are made by plain torch operations, many launches each: {why}")
