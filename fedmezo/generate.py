"""Talk to the model of a run: ``python -m fedmezo.generate RUN``. The base model answers too, beside it."""

from fedmezo.core.process import begin, exit_code, raise_on_interrupt, run_program

if __name__ == "__main__":
    begin()  # also for the imports below

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from fedmezo.commands.arguments import add_run, moved_hint, not_negative, positive, read_run, wanted_round
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import named_mistakes
from fedmezo.core.interrupt import graceful_stop
from fedmezo.core.log import on_screen
from fedmezo.core.signals import Terminated
from fedmezo.core.streams import output_lost
from fedmezo.core.text import compared

if TYPE_CHECKING:
    from fedmezo.commands.load_run import Rebuilt
    from fedmezo.models.generation import Sampling

STOPPING = "stopping this answer (again to leave) ..."


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m fedmezo.generate", description=__doc__)
    add_run(parser)
    parser.add_argument(
        "--round", metavar="R", type=wanted_round, default="final", help="after how many rounds; final (default), best"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="ask this and leave; -: what stdin holds; default: converse")
    parser.add_argument("--max-tokens", metavar="N", type=positive, help="length of an answer (llm.chat.max_len)")
    parser.add_argument(
        "--temperature", metavar="T", type=not_negative, default=0.0, help="0 (default): the likeliest token each time"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: execute(options), moved_hint)


@named_mistakes()
def execute(options: argparse.Namespace) -> int:
    """Load the model and answer what is asked."""
    if sys.stdin is None and options.prompt in (None, "-"):
        raise ConfigurationError("stdin is closed, so that nothing can be asked\n    give --prompt TEXT")
    folder, cfg = read_run(options)
    with on_screen(1):
        from fedmezo.commands.load_run import rebuild
        from fedmezo.core.randomness import stream_key
        from fedmezo.core.text import when
        from fedmezo.models.generation import Sampling

        raise_on_interrupt()
        rebuilt = rebuild(cfg, folder, options.round)
        length = options.max_tokens or cfg.llm.chat.max_len
        for number, question in enumerate(questions(options.prompt)):
            key = stream_key(cfg.seed, "answer", step=number)
            sampling = Sampling(length, options.temperature, key)
            interactive = options.prompt is None
            base, tuned = (answer(rebuilt, question, sampling, interactive, tuned) for tuned in (False, True))
            titles = ("base", when(rebuilt.rounds_done))
            print(compared(titles, (base, tuned), width()), flush=True)
            if output_lost():
                break
    return 0


def questions(prompt: str | None) -> Iterator[str]:
    """Yield what is asked: one text, or lines until the user leaves (Ctrl-D, Ctrl-C)."""
    if prompt is not None:
        yield sys.stdin.read() if prompt == "-" else prompt
        return
    import readline  # noqa: F401 - gives input() its arrow keys

    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "")
        except Terminated:
            raise
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if line.strip():
            yield line


def answer(rebuilt: "Rebuilt", question: str, sampling: "Sampling", interactive: bool, tuned: bool) -> str:
    """Return an answer; a terminal counts its tokens meanwhile, and in a conversation Ctrl-C ends it."""
    from tqdm import tqdm

    name = "tuned" if tuned else "base"
    bar = tqdm(desc=name, total=sampling.max_tokens, unit="token", leave=False, disable=not sys.stderr.isatty())
    with bar, graceful_stop(STOPPING, [signal.SIGINT]) if interactive else nullcontext(never) as stop_requested:

        def stop() -> bool:
            bar.update()
            return stop_requested()

        return rebuilt.answer(question, sampling, stop, tuned=tuned)


def never() -> bool:
    """Return that nobody asked to stop."""
    return False


def width() -> int | None:
    """Return the columns of the terminal that answers are written to, None if there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(run_program(main))
