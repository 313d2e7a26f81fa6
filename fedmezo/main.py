"""The runner: ``python -m fedmezo.main --cfg FILE [key value ...]``."""

from fedmezo.core.process import EXIT_CODES, begin, exit_code, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo import config
from fedmezo.commands import runner
from fedmezo.commands.arguments import add_overrides, add_quiet, moved_hint
from fedmezo.core.errors import ConfigurationError, FedmezoError
from fedmezo.core.extensions import named_mistakes

PROGRAM = "python -m fedmezo.main"
EXAMPLE = f"{PROGRAM} --cfg configs/quickstart.yaml federate.total_round_num 5"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
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
    add_quiet(parser)
    add_overrides(parser, "train.optimizer.lr 1e-5")
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
    if options.suggest:
        return runner.suggest(config.load(options.cfg, options.overrides), quiet=options.quiet)
    if options.resume is not None:
        prepared = runner.begun_run(options.resume, options.overrides)
    else:
        prepared = runner.new_run(options.cfg, options.overrides, may_exist=options.check)
    if options.check:
        return runner.check(prepared.cfg, options.fidelity, quiet=options.quiet)
    return runner.trained_code(prepared, quiet=options.quiet)


def hint(error: FedmezoError, arguments: Sequence[str]) -> str:
    """Return what helps where a model cannot be had: to say where it is, or the same command with the embedded one."""
    if "--resume" in arguments:
        return moved_hint(error, "model.type NAME@HUB on the command line")
    return runner.embedded_hint(error, PROGRAM, arguments)


if __name__ == "__main__":
    sys.exit(run_program(main))
