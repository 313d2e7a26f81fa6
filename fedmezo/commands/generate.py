"""What ``python -m fedmezo.generate`` does: a run's model answers, the base model beside it."""

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext

from tqdm import tqdm
from yacs.config import CfgNode

from fedmezo.commands.load_run import Rebuilt, RoundSelector, rebuild
from fedmezo.core.interrupt import graceful_stop
from fedmezo.core.randomness import stream_key
from fedmezo.core.run_folder import RunFolder
from fedmezo.core.signals import Terminated
from fedmezo.core.streams import output_lost
from fedmezo.core.text import compared, when
from fedmezo.models.generation import Sampling

STOPPING = "stopping this answer (again to leave) ..."


def converse(
    cfg: CfgNode,
    folder: RunFolder,
    wanted: RoundSelector,
    prompt: str | None,
    max_tokens: int | None = None,
    temperature: float = 0.0,
) -> None:
    """Print the answers to what is asked.

    Args:
        cfg: of the run.
        folder: of the run.
        wanted: a number of rounds, final, or best.
        prompt: what is asked; -: what stdin holds; None: lines of stdin, one after the other.
        max_tokens: of an answer; None: as the run's configuration says.
        temperature: 0: the likeliest token each time.

    Raises:
        ConfigurationError: the run has no such round, or there is no room for an answer.
        ResourceError: the run cannot be rebuilt.
    """
    rebuilt = rebuild(cfg, folder, wanted)
    for number, question in enumerate(questions(prompt)):
        key = stream_key(cfg.seed, "answer", step=number)
        sampling = Sampling(max_tokens or cfg.llm.chat.max_len, temperature, key)
        base, tuned = (answer(rebuilt, question, sampling, prompt is None, tuned) for tuned in (False, True))
        print(compared(("base", when(rebuilt.rounds_done)), (base, tuned), width()), flush=True)
        if output_lost():
            break


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


def answer(rebuilt: Rebuilt, question: str, sampling: Sampling, interactive: bool, tuned: bool) -> str:
    """Return an answer; a terminal counts its tokens meanwhile, and in a conversation Ctrl-C ends it."""
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
