"""Standard descriptors that are closed, full, or read by nobody: the run is done and saved all the same."""

import os
import pty
import shutil
from collections.abc import Callable

from scripts.crash.bench import Bench
from scripts.crash.programs import Prepare, fresh
from scripts.crash.tally import Tally, progress

# 3: what was asked to be printed cannot be; 141: its reader has gone
MAY_END = (0, 3, 141)


def closed(number: int) -> None:
    """Close a descriptor."""
    os.close(number)


def full(number: int) -> None:
    """Put a device that is always full in place of a descriptor."""
    os.dup2(os.open("/dev/full", os.O_RDWR), number)


def unread(number: int) -> None:
    """Put a pipe that nobody reads in place of a descriptor."""
    reader, writer = os.pipe()
    os.dup2(writer, number)
    os.close(reader)
    os.close(writer)


def hung_up(number: int) -> None:
    """Put a terminal that was closed in place of a descriptor."""
    ours, theirs = pty.openpty()
    os.dup2(theirs, number)
    os.close(theirs)
    os.close(ours)


def reading_only(number: int) -> None:
    """Put a file that may only be read in place of a descriptor."""
    os.dup2(os.open("/dev/null", os.O_RDONLY), number)


WAYS: tuple[Callable[[int], None], ...] = (closed, full, unread, hung_up, reading_only)
ENCODINGS = ("", "ascii", "latin-1", "utf-16", "ascii:strict")


def descriptors(bench: Bench, wanted: int) -> Tally:
    """Start runs with wrong descriptors, in interpreters of their own; their results must be the reference's."""
    tally = Tally("started with")
    for number in range(1, wanted + 1):
        draw, outdir = bench.draw("descriptor", number), bench.scratch / f"descriptor-{number}"
        outdir.mkdir()
        ways = {each: draw.choice(WAYS) for each in sorted(draw.sample((0, 1, 2), draw.choice((1, 1, 2, 3))))}
        encoding = draw.choice(ENCODINGS)
        kind = ", ".join(f"{each} {way.__name__.replace('_', ' ')}" for each, way in ways.items())
        ended = fresh(bench.words(outdir), prepare=prepared(ways, encoding))
        history = f"{kind}, encoding {encoding!r}\nkept in {outdir}\n{ended.output}"
        if ended.defect or ended.code not in MAY_END:
            tally.add(kind, ended.defect or f"exit code {ended.code}", history)
        elif differing := bench.differing(outdir / "run"):
            tally.add(kind, "differs", f"differs in {', '.join(differing)}; exit code {ended.code}; {history}")
        else:
            tally.add(kind, f"saved, exit code {ended.code}")
        if not tally.failures or str(outdir) not in tally.failures[-1]:
            shutil.rmtree(outdir)
        progress("descriptors", number, wanted, tally)
    return tally


def prepared(ways: dict[int, Callable[[int], None]], encoding: str) -> Prepare:
    """Return what makes a process begin so."""

    def prepare() -> None:
        os.environ.pop("PYTHONIOENCODING", None)
        if encoding:
            os.environ["PYTHONIOENCODING"] = encoding
        for number, way in ways.items():
            way(number)

    return prepare
