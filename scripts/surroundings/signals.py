"""Signals at random instants: the run ends as it may, nothing is lost, and it goes on to the same result."""

import random
import signal

from scripts.crash.bench import Bench
from scripts.crash.programs import Ended, Timed, forked, fresh
from scripts.crash.tally import Tally, progress

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
INTERRUPTED = 130
MOST = 3
FRESH_EVERY = 10
IMPORTS = 6.0  # seconds that a fresh interpreter takes at most until it trains


def signals(bench: Bench, wanted: int) -> Tally:
    """Send runs one to three signals each, then go on with them."""
    tally = Tally("got, at random instants,")
    for number in range(1, wanted + 1):
        draw, outdir = bench.draw("signal", number), bench.scratch / f"signal-{number}"
        outdir.mkdir()
        in_interpreter = number % FRESH_EVERY == 0
        sent = drawn(draw, bench.wall + IMPORTS if in_interpreter else bench.wall)
        words = bench.words(outdir)
        ended = fresh(words, signals=sent) if in_interpreter else forked("main", words, signals=sent)
        kind = " ".join(sorted({signal.Signals(each.number).name for each in sent}))
        history = f"{kind} after {', '.join(f'{each.after:.4f}' for each in sent)} s: exit code {ended.code}"
        if fault := wrong(ended, begun=(outdir / "run").exists()):
            tally.add(kind, fault, f"{history}\nkept in {outdir}\n{ended.output}")
        else:
            bench.finish(tally, kind, outdir, history)
        progress("signals", number, wanted, tally)
    return tally


def drawn(draw: random.Random, within: float) -> list[Timed]:
    """Return signals in the order of their times."""
    count = draw.choice((1, 1, 2, MOST))
    return sorted(Timed(draw.uniform(0, within), draw.choice(NUMBERS)) for _ in range(count))


def wrong(ended: Ended, *, begun: bool) -> str:
    """Return what is wrong with the end of a run that got signals; '' where nothing is.

    An interpreter that has not come to our first line dies of a signal, and there is no run yet to be lost.
    """
    early = ended.code < 0 and not begun and ended.code != -signal.SIGKILL
    return ended.defect or ("" if ended.code in (0, INTERRUPTED) or early else f"exit code {ended.code}")
