"""Put tasks to the model of a run, before and after training: ``python -m fedmezo.evaluate RUN``."""

from fedmezo.core.process import begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedmezo.commands.arguments import moved_hint, positive, read_run, run_parser, wanted_round
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.log import on_screen
from fedmezo.evaluation.tasks.tasks import check_tasks

PROGRAM = "python -m fedmezo.evaluate"


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = run_parser(__doc__, PROGRAM, program)
    parser.add_argument(
        "--round",
        metavar="R",
        type=wanted_round,
        nargs="+",
        default=[0, "final"],
        help="after how many rounds; final, best; several are compared with the first (default: 0 final)",
    )
    parser.add_argument(
        "--tasks",
        metavar="NAME",
        nargs="+",
        help="held_out (default for classification: what it was evaluated on), gsm8k_local (default for all else: "
        "gsm8k_test.jsonl of --data), any of lm_eval, or a task file ending in .yaml",
    )
    parser.add_argument(
        "--limit", metavar="N", type=positive, help="ask the first N of each task, as lm_eval does (default: all)"
    )
    parser.add_argument(
        "--batch-size", metavar="N", type=positive, help="examples at a time (default: eval.batch_size)"
    )
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="local files (default: data.root)")
    parser.add_argument(
        "--run-code",
        action="store_true",
        help="let tasks such as humaneval run code that the model writes, on this machine",
    )
    return parser


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run the command line and return the exit code."""
    options = parser(program).parse_args(arguments)
    return exit_code(lambda: execute(options), moved_hint)


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Ask, and print the scores."""
    folder, cfg = read_run(options.run, options.model)
    with on_screen(1):
        check_tasks(options.tasks or [])
        from fedmezo.commands.evaluate import Questions, evaluate
        from fedmezo.commands.local_tasks import default_task

        raise_on_interrupt()
        questions = Questions(
            tuple(dict.fromkeys(options.tasks or [default_task(cfg)])),
            options.data or Path(cfg.data.root),
            options.batch_size or cfg.eval.batch_size,
            options.limit,
            options.run_code,
        )
        print(evaluate(cfg, folder, options.round, questions))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
