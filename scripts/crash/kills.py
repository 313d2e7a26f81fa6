"""Runs that are killed, at a random instant or before an operation that changes files, and gone on with."""

import os
import random
import time
from pathlib import Path

from scripts.crash.bench import TOO_LATE, Bench, stage
from scripts.crash.programs import Prepare, forked, fresh, nothing
from scripts.crash.tally import Tally, progress
from scripts.crash.watching import killing, logged, watched

MOST_KILLS = 3
FRESH_EVERY, COLD_EVERY = 20, 10


def kills(bench: Bench, wanted: int) -> Tally:
    """Kill runs at random instants, until so many were hit before they ended by themselves."""
    tally, hits = Tally("killed at an instant, in"), 0
    whole = 0.0
    if wanted >= FRESH_EVERY:
        started = time.monotonic()
        fresh(bench.words(bench.scratch / "interpreter"))
        whole = time.monotonic() - started
    for number in range(1, 3 * wanted):
        draw, outdir = bench.draw("kill", number), bench.scratch / f"kill-{number}"
        outdir.mkdir()
        if number % FRESH_EVERY == 0:
            after = draw.uniform(0, whole)
            first = fresh(bench.words(outdir), after)
            kind, history = stage(first, outdir), f"a fresh interpreter killed after {after:.4f} s"
        else:
            kind, history = killed(bench, number, draw, outdir)
        bench.finish(tally, kind, outdir, history)
        hits += kind != TOO_LATE
        if kind != TOO_LATE:
            progress("kills", hits, wanted, tally)
        if hits == wanted:
            break
    return tally


def killed(bench: Bench, number: int, draw: random.Random, outdir: Path) -> tuple[str, str]:
    """Begin a run, kill it once to three times, and return where it was first, and what was done."""
    prepare = emptied_cache(outdir.with_name(f"cache-{number}")) if number % COLD_EVERY == 0 else nothing
    kind, history = "", []
    for _ in range(draw.choice((1, 1, 2, MOST_KILLS))):
        after, started = draw.uniform(0, bench.wall), time.monotonic()
        ended = forked("main", bench.words(outdir), after, prepare)
        if not kind and ended.code == 0:
            bench.wall = time.monotonic() - started  # the machine is less busy than it was
        kind = kind or stage(ended, outdir)
        history.append(f"{stage(ended, outdir)}: after {after:.4f} s, exit code {ended.code}")
    return kind, ", ".join(history)


def emptied_cache(folder: Path) -> Prepare:
    """Return what gives a program a cache of its own."""

    def prepare() -> None:
        os.environ["FEDMEZO_CACHE"] = str(folder)

    return prepare


def operations(bench: Bench, wanted: int) -> Tally:
    """Kill runs right before what changes their files."""
    tally = Tally("killed before")
    outdir = bench.scratch / "operations"
    outdir.mkdir()
    log = bench.scratch / "operations.txt"
    forked("main", bench.words(outdir), prepare=watched(outdir, logged(log)))
    names = log.read_text(encoding="utf-8").splitlines()
    print(f"operations: the run has {len(names)} that change files", flush=True)
    chosen = sorted({index * len(names) // wanted for index in range(wanted)})
    for done, number in enumerate(chosen, start=1):
        outdir = bench.scratch / f"operation-{number}"
        outdir.mkdir()
        ended = forked("main", bench.words(outdir), prepare=watched(outdir, killing(number)))
        history = f"killed before operation {number}, {names[number]}; exit code {ended.code}"
        bench.finish(tally, names[number] if ended.code < 0 else TOO_LATE, outdir, history)
        progress("operations", done, len(chosen), tally)
    return tally
