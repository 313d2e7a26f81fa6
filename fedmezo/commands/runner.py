"""What the runner does: a configuration becomes a run, or is checked or probed; a run goes on.

Everything heavy (torch, transformers) is imported after the configuration was checked.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yacs.config import CfgNode

from fedmezo import config
from fedmezo.core import run_folder
from fedmezo.core.errors import ConfigurationError, FaultyModelError, FedmezoError, ModelUnavailableError
from fedmezo.core.files import check_folder
from fedmezo.core.log import on_screen
from fedmezo.core.process import INTERRUPTED, raise_on_interrupt
from fedmezo.core.run_folder import RunFolder

if TYPE_CHECKING:
    from fedmezo.commands.train import Trained

EMBEDDED_MODEL = "SmolLM2-135M-Instruct@package_llm"


@dataclass(frozen=True)
class Prepared:
    """A run that can begin or go on.

    Args:
        cfg: checked and complete.
        make_folder: called once model and data are there, so that a run which cannot start leaves nothing behind.
    """

    cfg: CfgNode
    make_folder: Callable[[], RunFolder]


def new_run(path: Path, overrides: Sequence[str], *, may_exist: bool = False) -> Prepared:
    """Return a run of a configuration.

    Args:
        path: the file of the configuration.
        overrides: ``key value ...``
        may_exist: whether a run of its name may be there, as this one will not begin.

    Raises:
        ConfigurationError: the configuration is wrong, or there is a run of its name.
        ResourceError: the run's folder cannot be made.
    """
    cfg = config.load(path, overrides)
    run_folder.check_place(cfg.outdir, cfg.expname)
    if not may_exist:
        run_folder.check_free(cfg.outdir, cfg.expname)
    return Prepared(cfg, lambda: run_folder.create(cfg.outdir, cfg.expname, path.stem, config.dump(cfg)))


def begun_run(path: Path, overrides: Sequence[str]) -> Prepared:
    """Return a run that goes on.

    Args:
        path: its folder.
        overrides: of keys that may change (:data:`fedmezo.config.RESUMABLE`).

    Raises:
        ConfigurationError: an override is wrong, or is of another key.
        ResourceError: there is no run, or nothing can be written to its folder.
    """
    folder = run_folder.existing(path)
    cfg = config.load(folder.config, overrides, recorded=True)
    refused = [key for key in overrides[::2] if key not in config.RESUMABLE]
    if refused:
        raise ConfigurationError(
            f"command line  {', '.join(refused)}\n    cannot change when a run goes on; "
            f"only {', '.join(config.RESUMABLE)} can"
        )
    check_folder(f"--resume {folder.path}", folder.path)
    return Prepared(cfg, lambda: folder)


def train(prepared: Prepared, *, quiet: bool = False) -> "Trained":
    """Train; ``quiet``: say nothing but errors."""
    with on_screen(0 if quiet else prepared.cfg.verbose):
        from fedmezo.commands.train import run

        # until the run has a folder a signal ends a program at once: an exception could be lost in some destructor
        return run(prepared.cfg, prepared.make_folder)


def trained_code(prepared: Prepared, *, quiet: bool = False) -> int:
    """Train, and return the exit code of the outcome."""
    return INTERRUPTED if train(prepared, quiet=quiet).outcome == "interrupted" else 0


def check(cfg: CfgNode, fidelity: int | None = None, *, quiet: bool = False) -> int:
    """Print what a run would be, and its gradient fidelity over so many pairs if they are asked for."""
    with on_screen(0 if quiet else cfg.verbose):
        from fedmezo.commands.check import describe, fidelity_line, measure_fidelity

        raise_on_interrupt()
        print(describe(cfg))
        if fidelity is not None:
            print(fidelity_line(measure_fidelity(cfg, fidelity)))
    return 0


def suggest(cfg: CfgNode, *, quiet: bool = False) -> int:
    """Print a rate and mu that suit a configuration."""
    with on_screen(0 if quiet else cfg.verbose):
        from fedmezo.commands.suggest import suggest

        raise_on_interrupt()
        print(suggest(cfg))
    return 0


def embedded_hint(error: FedmezoError, program: str, arguments: Sequence[str]) -> str:
    """Return the same command with the embedded model, where the model cannot be had."""
    if not isinstance(error, ModelUnavailableError) or isinstance(error, FaultyModelError):
        return ""
    words = list(arguments)
    if "model.type" in words:
        del words[words.index("model.type") : words.index("model.type") + 2]
    command = shlex.join([*shlex.split(program), *words, "model.type", EMBEDDED_MODEL])
    return f"\n    the same run with a model that needs no hub: {command}"
