"""Talk to the model of a run: ``python -m fedmezo.generate RUN``. The base model answers too, beside it."""

from fedmezo.core.process import begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence

from fedmezo.commands.arguments import (
    moved_hint,
    not_negative,
    positive,
    read_run,
    run_parser,
    wanted_round,
)
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.log import on_screen

PROGRAM = "python -m fedmezo.generate"


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = run_parser(__doc__, PROGRAM, program)
    parser.add_argument(
        "--round", metavar="R", type=wanted_round, default="final", help="after how many rounds; final (default), best"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="ask this and leave; -: what stdin holds; default: converse")
    parser.add_argument("--max-tokens", metavar="N", type=positive, help="length of an answer (llm.chat.max_len)")
    parser.add_argument(
        "--temperature", metavar="T", type=not_negative, default=0.0, help="0 (default): the likeliest token each time"
    )
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_args(arguments)
    return exit_code(lambda: execute(options), moved_hint)


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Load the model and answer what is asked."""
    if sys.stdin is None and options.prompt in (None, "-"):
        raise ConfigurationError("stdin is closed, so that nothing can be asked\n    give --prompt TEXT")
    folder, cfg = read_run(options.run, options.model)
    with on_screen(1):
        from fedmezo.commands.generate import converse

        raise_on_interrupt()
        converse(cfg, folder, options.round, options.prompt, options.max_tokens, options.temperature)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
