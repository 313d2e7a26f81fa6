"""A part in this process: what is measured is printed, a row of JSON after the other; all else goes to stderr."""

import argparse
import gc
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

Figures = dict[str, Any]


class Setting(NamedTuple):
    """How rows are measured.

    Args:
        quick: with tiny models and few repeats.
        stand_in: on the stand-in for a GPU.
        tell: may be called with what is known of the row so far.
    """

    quick: bool
    stand_in: bool
    tell: Callable[[Figures], None]


def run(options: argparse.Namespace) -> int:
    """Measure the rows of a part that are not done, and return the exit code."""
    rows = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if options.stand_in:
        importlib.import_module("tests.gpu_standin.plugin")  # puts it where torch looks for a GPU
    from fedmezo.core.errors import ResourceError

    module = importlib.import_module(f"benchmarks.gpu.{options.part}")

    def tell(content: Figures) -> None:
        print(json.dumps(content), file=rows, flush=True)

    try:
        if not options.cpu:
            check_gpu()
    except ResourceError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    plan: list[str] = module.plan(options.quick)
    tell({"plan": plan})
    for name in plan[options.skip :]:
        setting = Setting(options.quick, options.stand_in, partial(_tell_row, tell, name))
        setting.tell(figures_of(partial(module.measure, name, setting)))
    return 0


def _tell_row(tell: Callable[[Figures], None], name: str, figures: Figures) -> None:
    tell({"row": name, "figures": figures})


def check_gpu() -> None:
    """Make sure that torch can use a GPU.

    Raises:
        ResourceError: it cannot.
    """
    from fedmezo.assembly.precision import gpu_is_usable
    from fedmezo.core.errors import ResourceError

    if not gpu_is_usable():
        raise ResourceError(
            "there is no GPU that torch can use, and nothing was measured\n"
            "    nvidia-smi tells whether the machine has one; --stand-in tries the command without"
        )


def figures_of(work: Callable[[], Figures]) -> Figures:
    """Return the figures of a row, or why there are none; what the device cannot survive is raised."""
    import torch

    try:
        return work()
    except torch.AcceleratorError:
        raise
    except Exception as error:  # noqa: BLE001 - a row that fails leaves the others as they are
        traceback.print_exc()
        lines = str(error).strip().splitlines()
        return {"failed": f"{type(error).__name__}: {lines[0][:200] if lines else ''}"}
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
