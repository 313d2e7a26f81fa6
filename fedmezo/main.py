"""The runner: ``python -m fedmezo.main --cfg FILE [key value ...]``.

Everything heavy (torch, transformers) is imported after the configuration was checked.
"""

from fedmezo.core.process import INTERRUPTED, begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from yacs.config import CfgNode

from fedmezo import config
from fedmezo.commands.arguments import moved_hint
from fedmezo.core import run_folder
from fedmezo.core.errors import ConfigurationError, FaultyModelError, FedmezoError, ModelUnavailableError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.files import check_folder
from fedmezo.core.log import on_screen
from fedmezo.core.run_folder import RunFolder

EXAMPLE = "python -m fedmezo.main --cfg configs/quickstart.yaml federate.total_round_num 5"
EXIT_CODES = """exit codes:
  0    done
  1    a defect of the program
  2    the configuration or the command line is wrong
  3    data, a model, memory or disk space cannot be had, or stdout could not be written
  4    the run diverged
  5    a client failed
  6    what was saved is not what was trained
  130  interrupted; --resume goes on
  141  done, but the reader of the output has gone"""
EMBEDDED_MODEL = "SmolLM2-135M-Instruct@package_llm"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fedmezo.main",
        description="Federated fine-tuning of large language models without backpropagation.",
        epilog=f"example: {EXAMPLE}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--cfg", metavar="FILE", type=Path, help="the configuration to run, in YAML")
    what.add_argument("--resume", metavar="RUN", type=Path, help="the folder of a run to go on with")
    what.add_argument(
        "--help-config", metavar="KEY", nargs="?", const="", help="explain all keys, a section, or one key"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--check", action="store_true", help="load model and data, say what the run would be; train nothing"
    )
    instead.add_argument(
        "--suggest", action="store_true", help="probe a few rates and mu, and recommend; train nothing"
    )
    parser.add_argument(
        "--fidelity",
        metavar="PAIRS",
        type=int,
        help="with --check: measure gradient fidelity over so many (direction, batch) pairs",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only (RUN/run.log has the rest)")
    # argparse takes -1 for a value but -1e-5 for an option, unless told what a number is
    parser._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
    parser.add_argument("overrides", metavar="key value", nargs="*", help="overrides, as in train.optimizer.lr 1e-5")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = parser().parse_intermixed_args(arguments)
    return exit_code(lambda: execute(options), lambda error: hint(error, arguments))


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Do what the options ask for and return the exit code."""
    if options.help_config is not None:
        print(config.help_config(options.help_config or None))
        return 0
    if options.cfg is None and options.resume is None:
        raise ConfigurationError(f"nothing to run: give --cfg FILE or --resume RUN\n    {EXAMPLE}")
    if options.fidelity is not None and (not options.check or options.fidelity < 2):
        raise ConfigurationError("--fidelity PAIRS\n    expected with --check, and at least 2 pairs")
    if options.suggest and options.cfg is None:
        raise ConfigurationError("--suggest\n    expected with --cfg: a run that goes on keeps its mu and its rate")
    if options.resume is not None:
        return resume(options)
    cfg = config.load(options.cfg, options.overrides)
    if not options.suggest:
        run_folder.check_place(cfg.outdir, cfg.expname)
        if not options.check:
            run_folder.check_free(cfg.outdir, cfg.expname)
    name = options.cfg.stem
    return perform(options, cfg, lambda: run_folder.create(cfg.outdir, cfg.expname, name, config.dump(cfg)))


def resume(options: argparse.Namespace) -> int:
    """Go on with a run."""
    folder = run_folder.existing(options.resume)
    cfg = config.load(folder.config, options.overrides, recorded=True)
    refused = [key for key in options.overrides[::2] if key not in config.RESUMABLE]
    if refused:
        raise ConfigurationError(
            f"command line  {', '.join(refused)}\n    cannot change when a run goes on; "
            f"only {', '.join(config.RESUMABLE)} can"
        )
    check_folder(f"--resume {folder.path}", folder.path)
    return perform(options, cfg, lambda: folder)


def perform(options: argparse.Namespace, cfg: CfgNode, make_folder: Callable[[], RunFolder]) -> int:
    """Train, or only say what would be trained, and return the exit code of the outcome."""
    with on_screen(0 if options.quiet else cfg.verbose):
        if options.check:
            return check(cfg, options.fidelity)
        if options.suggest:
            from fedmezo.commands.suggest import suggest

            raise_on_interrupt()
            print(suggest(cfg))
            return 0
        from fedmezo.commands.train import run

        # until the run has a folder a signal ends the process at once: an exception could be lost in some destructor
        return INTERRUPTED if run(cfg, make_folder) == "interrupted" else 0


def check(cfg: CfgNode, fidelity: int | None) -> int:
    """Print what a run would be."""
    from fedmezo.commands.check import describe, fidelity_line, measure_fidelity

    raise_on_interrupt()
    print(describe(cfg))
    if fidelity is not None:
        print(fidelity_line(measure_fidelity(cfg, fidelity)))
    return 0


def hint(error: FedmezoError, arguments: Sequence[str]) -> str:
    """Return what helps where a model cannot be had: to say where it is, or the same command with the embedded one."""
    if "--resume" in arguments:
        return moved_hint(error, "model.type NAME@HUB on the command line")
    if not isinstance(error, ModelUnavailableError) or isinstance(error, FaultyModelError):
        return ""
    words = list(arguments)
    if "model.type" in words:
        del words[words.index("model.type") : words.index("model.type") + 2]
    command = shlex.join(["python", "-m", "fedmezo.main", *words, "model.type", EMBEDDED_MODEL])
    return f"\n    the same run with a model that needs no hub: {command}"


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(run_program(main))
