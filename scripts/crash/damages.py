"""Damaged files of runs: whether verifying notices them, and what going on does about them."""

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scripts.crash.bench import Bench, rounds_of
from scripts.crash.programs import Ended, forked
from scripts.crash.tally import Tally, progress
from scripts.crash.watching import watched

HALF = 5  # rounds of the runs that are damaged half-finished

Damage = Callable[[bytes, random.Random], bytes]


def truncate(data: bytes, draw: random.Random) -> bytes:
    """Cut off the end."""
    return data[: draw.randrange(len(data))]


def flip(data: bytes, draw: random.Random) -> bytes:
    """Flip one bit."""
    at, bit = draw.randrange(len(data)), 1 << draw.randrange(8)
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def overwrite(data: bytes, draw: random.Random) -> bytes:
    """Write random bytes over some, the first of them another one than it was."""
    at = draw.randrange(len(data))
    noise = draw.randbytes(min(draw.randint(1, 64), len(data) - at))
    return data[:at] + bytes([(data[at] + draw.randint(1, 255)) % 256]) + noise[1:] + data[at + len(noise) :]


def lengthen(data: bytes, draw: random.Random) -> bytes:
    """Append noise, or zeros as some file systems do after a crash, or the file's own end once more."""
    size = draw.randint(1, 200)
    return data + draw.choice((draw.randbytes(size), bytes(size), data[-size:]))


DAMAGES: dict[str, Damage] = {
    "truncated": truncate,
    "bit flipped": flip,
    "overwritten": overwrite,
    "lengthened": lengthen,
}


def damages(bench: Bench, wanted: int) -> list[Tally]:
    """Damage files of runs; return what became of verifying, and of going on."""
    tallies = Tally("verify of a damaged"), Tally("resume of a damaged")
    sources = [
        bench.scratch / "reference" / "run",
        interrupted(bench, signal.SIGINT),
        interrupted(bench, signal.SIGKILL),
    ]
    for number in range(1, wanted + 1):
        draw = bench.draw("damage", number)
        source, place = sources[number % len(sources)], bench.scratch / f"damage-{number}"
        shutil.copytree(source, place / "before")
        case = damaged(place / "before", draw, beside=number % 5 == 0)
        shutil.copytree(place / "before", place / "run")
        history = f"{case.file} of {source}: {case.kind}, {case.what}\nkept in {place}"
        verify(case, place / "run", history, tallies[0])
        go_on(bench, case, place / "run", history, tallies[1])
        if not any(str(place) in failure for tally in tallies for failure in tally.failures):
            shutil.rmtree(place)
        progress("damages", number, wanted, tallies[1])
    return list(tallies)


def interrupted(bench: Bench, number: int) -> Path:
    """Return a run that a signal ended after some rounds."""
    outdir = bench.scratch / signal.Signals(number).name
    words = bench.words(outdir)

    def act(event: str) -> None:  # the metrics of a round are written once all else of it is recorded
        if rounds_of(outdir / "run") >= HALF:
            os.kill(os.getpid(), number)

    ended = forked("main", words, prepare=watched(outdir, act))
    if ended.code not in (130, -signal.SIGKILL):
        raise SystemExit(f"a run that was to be interrupted ended with exit code {ended.code}:\n{ended.output}")
    return outdir / "run"


class Case(NamedTuple):
    """A damaged file: which, how, and at which place; ``whole`` if it is still a valid ledger, only a shorter one."""

    file: str
    kind: str
    what: str
    whole: bool = False

    @property
    def row(self) -> str:
        """The row that counts it."""
        name = self.file.partition("/")[0]
        return f"{name}: {'truncated between records' if self.whole else self.kind}"


def damaged(run: Path, draw: random.Random, *, beside: bool) -> Case:
    """Damage a file of a run: the ledger, or one ``beside`` it, a snapshot or adapter."""
    path = draw.choice(sorted(run.glob("*/*.safetensors"))) if beside else run / "ledger.bin"
    kind = draw.choice(sorted(DAMAGES))
    before = path.read_bytes()
    after = DAMAGES[kind](before, draw)
    path.write_bytes(after)
    first = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), len(after))
    what = f"{len(before)} -> {len(after)} bytes, the first changed is {min(first, len(before))}"
    return Case(str(path.relative_to(run)), kind, what, kind == "truncated" and not beside and between(before, after))


def between(before: bytes, after: bytes) -> bool:
    """Return whether a ledger was cut where a record ends, which leaves a valid ledger of less."""
    from fedmezo.ledger.chain import PREAMBLE, walk

    return len(after) in {0, len(PREAMBLE), *(link.end for link in walk(before).links)}


def verify(case: Case, run: Path, history: str, tally: Tally) -> None:
    """Count what ``replay --verify`` says: a damaged ledger, or last adapter, has to be noticed."""
    ended = forked("replay", [str(run), "--verify"])
    must_notice = case.file == "ledger.bin" and not case.whole
    report = f"{history}\nreplay --verify: exit code {ended.code}\n{ended.output}"
    if ended.defect or ended.code not in (0, 2, 3):
        tally.add(case.row, ended.defect or f"exit code {ended.code}", report)
    elif ended.code == 0:
        tally.add(case.row, "MISSED" if must_notice else "exit 0", report if must_notice else "")
    else:
        tally.add(
            case.row,
            "noticed" if named(case, ended) else "noticed, file not named",
            "" if named(case, ended) else report,
        )


def named(case: Case, ended: Ended) -> bool:
    """Return whether a message names the file, or its folder."""
    return case.file in ended.output or f"run/{case.file.partition('/')[0]}" in ended.output


def go_on(bench: Bench, case: Case, run: Path, history: str, tally: Tally) -> None:
    """Count what ``--resume`` does: mend and say so, or refuse and name the file."""
    ended = forked("main", ["--resume", str(run)])
    told = "damaged" in ended.output or "set aside" in ended.output
    may_be_silent = case.whole or case.file != "ledger.bin"
    report = f"{history}\n--resume: exit code {ended.code}\n{ended.output}"
    if ended.defect or ended.code not in (0, 2, 3):
        tally.add(case.row, ended.defect or f"exit code {ended.code}", report)
    elif ended.code:
        tally.add(
            case.row,
            "refused" if named(case, ended) else "refused, file not named",
            "" if named(case, ended) else report,
        )
    elif differing := bench.differing(run):
        tally.add(case.row, "WRONG", f"differs in {', '.join(differing)}; {report}")
    elif told:
        tally.add(case.row, "mended and told")
    else:
        tally.add(case.row, "identical, silent" if may_be_silent else "SILENT", "" if may_be_silent else report)
