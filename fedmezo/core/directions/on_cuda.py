"""Tasks on CUDA devices: compiled by Triton; in plain torch operations where it cannot be had, which is told once."""

from collections.abc import Callable
from functools import cache

from fedmezo.core.directions import torch_kernel
from fedmezo.core.directions.task import Task
from fedmezo.core.log import LOG

NO_COMPILER = "C compiler"  # in what Triton says where it finds none to build its launcher with


def accumulate(task: Task) -> None:
    """Do a task; see :func:`fedmezo.core.directions.accumulate`."""
    compiled = _compiled()
    if compiled is not None:
        try:
            compiled(task)
        except RuntimeError as error:
            if NO_COMPILER not in str(error):
                raise
            _tell(str(error).splitlines()[0])
        else:
            return
    torch_kernel.accumulate(task)


@cache
def _compiled() -> Callable[[Task], None] | None:
    """Return the compiled implementation; None without Triton. Where there is no CUDA device it is not imported."""
    try:
        from fedmezo.core.directions import triton_kernel
    except ImportError:
        _tell("triton is not installed")
        return None
    return triton_kernel.accumulate


@cache
def _tell(why: str) -> None:
    LOG.warning(f"directions are made by plain torch operations, many launches each: {why}")
