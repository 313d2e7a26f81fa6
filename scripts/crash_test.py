"""Kill runs, damage their folders, fill their disk; they must go on to the same result, or refuse with a message.

python scripts/crash_test.py [--kills 100] [--operations 100] [--damages 500] [--full-disk [48]] [--trainer llmtrainer]

The run is a tiny model's, 8 rounds, on one thread. One run that nothing disturbs is the reference; all others end with
exit code 0 and, bit for bit, its ledger, adapters, evaluations, metrics and summary (times and memory left out), or
say why not. ``--kills 0`` and the like leave a part out. Exit code 0: every target is met; 1: see the kept folders.

- kills: ``kill -9`` at a random instant of the run, up to three times in a row, then ``--resume``.
- operations: ``kill -9`` right before one of the operations that change files (opening for writing, renaming, removing,
  ...), spread evenly over all that the run does. It finds what random instants rarely hit.
- damages: a truncated, flipped, overwritten or lengthened ledger, or (a fifth) snapshot or adapter, of a finished, an
  interrupted and a killed run; then ``replay --verify``, then ``--resume``.
- full disk: the run's ``outdir`` is a tmpfs that is too small, or has too few inodes; then it grows, and the run goes
  on. Where mounting is not allowed, a limit of the size of files stands in, which fails alike but at other places.

Importing torch and transformers takes longer than the run. So this process imports them, computes nothing, and forks:
each child is a command line, ``fedmezo.main.main([...])`` inside ``run_program`` as in ``python -m fedmezo.main``, with
streams of its own, and is killed from outside. An instant counts from the fork on: nothing of a run happens before the
imports are over. Every 20th kill hits a fresh interpreter nevertheless, every 10th a run with an empty cache.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml

ROUNDS = 8
CONFIGURATION: dict[str, Any] = {
    "model": {"type": "tiny-llama@random_llm"},
    "data": {"type": "arithmetic@llm", "num_examples": 60, "splits": [0.8, 0.1, 0.1]},
    "llm": {"tok_len": 420, "adapter": {"args": [{"adapter_package": "peft", "adapter_method": "lora", "r": 4}]}},
    "dataloader": {"batch_size": 2},
    "federate": {"client_num": 3, "total_round_num": ROUNDS, "save_freq": 3, "hash_freq": 2},
    "train": {"local_update_steps": 2, "optimizer": {"lr": 0.01}},
    "eval": {"freq": 2},
    "early_stop": {"patience": 0},
    "zo": {"mu": 0.005},
    "engine": {"threads": 1},
}
MEASURED = ("seconds", "peak_memory_mib")
PATIENCE = 300.0  # seconds after which a run counts as hanging
MOST_KILLS = 3
FRESH_EVERY, COLD_EVERY = 20, 10
HALF = 5  # rounds of the runs that are damaged half-finished
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
NO_TRACE = ("Traceback (most recent call last)", "--- Logging error ---")
PAGE = 4096
TOO_LATE = "ended before the kill"
UNNAMED = "exit 3, no file named"

Prepare = Callable[[], None]
Damage = Callable[[bytes, random.Random], bytes]


class Ended(NamedTuple):
    """How a program ended: its exit code, minus the signal if it was killed, and what it printed."""

    code: int
    output: str

    @property
    def defect(self) -> str:
        """What no program may end with; '' where it did not."""
        if any(words in self.output for words in NO_TRACE):
            return "traceback"
        return {1: "exit code 1", -signal.SIGKILL: "hung"}.get(self.code, "")


@dataclass
class Tally:
    """Counts of what happened, by kind, and the cases that must not happen."""

    title: str
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[str] = field(default_factory=list)

    def add(self, kind: str, what: str, failure: str = "") -> None:
        """Count a case of a kind; ``failure`` describes it if it must not happen."""
        self.counts[kind][what] += 1
        if failure:
            self.failures.append(f"{self.title}, {kind}: {what}\n{failure}")
            print(f"\nFAILED {self.failures[-1]}\n", flush=True)

    def table(self) -> str:
        """Return the counts as a table: a row a kind, a column for whatever happened."""
        columns = sorted({what for row in self.counts.values() for what in row})
        rows = [[self.title, *columns]]
        rows += [[kind, *(str(row[what]) for what in columns)] for kind, row in sorted(self.counts.items())]
        rows.append(["all", *(str(sum(row[what] for row in self.counts.values())) for what in columns)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


# --- programs


def nothing() -> None:
    """Prepare nothing."""


def preload() -> None:
    """Import all that the programs would, and start no thread."""
    import matplotlib.figure  # noqa: F401

    import fedmezo.main
    import fedmezo.replay
    import fedmezo.replaying
    import fedmezo.running  # noqa: F401


def forked(program: str, words: Sequence[str], kill_after: float = PATIENCE, prepare: Prepare = nothing) -> Ended:
    """Run ``python -m fedmezo.PROGRAM WORDS`` in a fork; kill it after so many seconds."""
    with tempfile.TemporaryFile() as output:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            become(program, words, output.fileno(), prepare)
        code = waited(child, kill_after)
        output.seek(0)
        return Ended(code, output.read().decode(errors="replace"))


def become(program: str, words: Sequence[str], output: int, prepare: Prepare) -> NoReturn:
    """Be the program, from its first line after the imports to the end of the process."""
    from fedmezo import main, replay
    from fedmezo.process import leave_on_interrupt, run_program

    code = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = [f"fedmezo.{program}", *words]
        leave_on_interrupt()
        prepare()
        code = run_program({"main": main.main, "replay": replay.main}[program])
    except SystemExit as error:  # of argparse
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  (as the interpreter would)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def waited(child: int, kill_after: float) -> int:
    """Wait for a child, kill it once its time is over, and return its exit code."""
    deadline = time.monotonic() + kill_after
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        left = deadline - time.monotonic()
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(min(left, 0.002))


def fresh(words: Sequence[str], kill_after: float = PATIENCE) -> Ended:
    """Run ``python -m fedmezo.main WORDS`` in an interpreter of its own; kill it after so many seconds."""
    command = [sys.executable, "-m", "fedmezo.main", *words]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
        code = process.wait()
        output.seek(0)
        return Ended(code, output.read().decode(errors="replace"))


# --- runs and what they led to


def results(run: Path) -> dict[str, Any]:
    """Return what a run led to, by file, without times and memory."""
    adapters = [path for name in ("adapter", "adapter_best") for path in run.glob(f"{name}/*.safetensors")]
    found: dict[str, Any] = {str(path.relative_to(run)): path.read_bytes() for path in adapters}
    found["ledger.bin"] = content(run / "ledger.bin", lambda data: data)
    for name in ("evaluations.jsonl", "metrics.jsonl"):
        found[name] = content(run / name, lambda data: [timeless(json.loads(line)) for line in data.splitlines()])
    found["summary.json"] = content(run / "summary.json", lambda data: timeless(json.loads(data)))
    return found


def content(path: Path, read: Callable[[bytes], Any]) -> Any:
    """Return what is in a file, or what is wrong with it."""
    try:
        return read(path.read_bytes())
    except (OSError, ValueError) as error:
        return str(error)


def timeless(value: Any) -> Any:
    """Return JSON content without what was measured."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in MEASURED}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def rounds_of(run: Path) -> int:
    """Return how many rounds a run's ledger holds."""
    from fedmezo.ledger.ledger import Ledger

    path = run / "ledger.bin"
    return len(Ledger(path).rounds()) if path.exists() else 0


@dataclass
class Bench:
    """Where the test works, and the run that all others are compared with.

    Args:
        scratch: folder.
        trainer: of the runs.
        seed: of what is drawn.
    """

    scratch: Path
    trainer: str
    seed: int
    wall: float = PATIENCE
    expected: dict[str, Any] = field(default_factory=dict)
    listing: set[str] = field(default_factory=set)

    @property
    def configuration(self) -> Path:
        """The file of the runs' configuration."""
        return self.scratch / "run.yaml"

    def measure(self) -> None:
        """Run the reference, twice: with an empty cache, and as the others will find it."""
        content = CONFIGURATION | {"trainer": {"type": self.trainer}}
        self.configuration.write_text(yaml.safe_dump(content), encoding="utf-8")
        for name in ("first", "reference"):
            started = time.monotonic()
            ended = forked("main", self.words(self.scratch / name))
            self.wall = time.monotonic() - started
            if ended.code != 0:
                raise SystemExit(f"the reference ended with exit code {ended.code}:\n{ended.output}")
        reference = self.scratch / "reference" / "run"
        self.expected, self.listing = results(reference), {path.name for path in reference.iterdir()}
        if differing := self.differing(self.scratch / "first" / "run"):
            raise SystemExit(f"two runs that nothing disturbs differ in {', '.join(differing)}")

    def words(self, outdir: Path) -> list[str]:
        """Return the command line that begins the run in ``outdir``, or goes on with it if it is there."""
        run = outdir / "run"
        if (run / "config.yaml").exists():  # before it is there, no run has begun
            return ["--resume", str(run)]
        return ["--cfg", str(self.configuration), "outdir", str(outdir), "expname", "run"]

    def differing(self, run: Path) -> list[str]:
        """Return in which files a run's results are not those of the reference."""
        found = results(run)
        return sorted(name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name))

    def litter(self, outdir: Path) -> list[str]:
        """Return what lies about that the reference does not have."""
        left = [path.name for path in (outdir / "run").iterdir() if path.name not in self.listing]
        return left + [path.name for path in outdir.iterdir() if path.name != "run"]

    def draw(self, part: str, number: int) -> random.Random:
        """Return the generator of a case."""
        return random.Random(f"{self.seed} {part} {number}")

    def finish(self, tally: Tally, kind: str, outdir: Path, history: str) -> None:
        """Go on with a run to its end, compare it, and count it; a good one is removed."""
        ended = forked("main", self.words(outdir))
        differing = [] if ended.code else self.differing(outdir / "run")
        report = f"{history}\nkept in {outdir}\n{ended.output}"
        if ended.defect or ended.code:
            tally.add(kind, ended.defect or f"exit code {ended.code}", report)
        elif differing:
            tally.add(kind, "differs", f"differs in {', '.join(differing)}; {report}")
        else:
            tally.add(kind, "identical")
            if self.litter(outdir):
                tally.counts[kind]["(of them with scratch left over)"] += 1
            shutil.rmtree(outdir)


def progress(part: str, done: int, wanted: int, tally: Tally) -> None:
    """Say how far a part is, ten times in all."""
    if done == wanted or done % max(1, wanted // 10) == 0:
        print(f"{part}: {done} of {wanted}, {len(tally.failures)} failed", flush=True)


# --- kills


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


def stage(ended: Ended, outdir: Path) -> str:
    """Return where in a run a kill hit it."""
    if ended.code >= 0:
        return TOO_LATE
    if not (outdir / "run").exists():
        return "start-up, no folder yet"
    done = rounds_of(outdir / "run")
    if done == 0:
        return "folder made, no round yet"
    return "rounds" if done < ROUNDS else "the rounds are done"


# --- kills before a file operation


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


def watched(root: Path, act: Callable[[str], None]) -> Prepare:
    """Return what makes a program call ``act`` before each operation that changes files below a folder."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if changes(event, arguments, f"{root}/"):
            act(f"{event.removeprefix('os.')} {plain(str(arguments[0]))}")

    return lambda: sys.addaudithook(hook)


def changes(event: str, arguments: tuple[Any, ...], root: str) -> bool:
    """Return whether an audited event changes files below a folder; what libraries in Rust do is not audited."""
    if event == "open":
        return str(arguments[0]).startswith(root) and bool(arguments[2] & WRITING)
    # rmtree removes relative to an open folder, which is nowhere else in these runs
    return event in CHANGES and (str(arguments[0]).startswith(root) or not str(arguments[0]).startswith("/"))


def plain(path: str) -> str:
    """Return the name of a file without what ``tempfile`` drew."""
    return re.sub(r"\.[a-z0-9_]{8}$", ".*", path.rpartition("/")[2])


def logged(path: Path) -> Callable[[str], None]:
    """Return what writes down every operation."""

    def act(event: str) -> None:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # audited itself, but not below the root
        os.write(number, f"{event}\n".encode())
        os.close(number)

    return act


def killing(wanted: int) -> Callable[[str], None]:
    """Return what kills its process at its call number ``wanted``."""
    numbers = count()

    def act(event: str) -> None:
        if next(numbers) == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return act


# --- damages


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


# --- full disk


def full_disk(bench: Bench, wanted: int) -> Tally:
    """Let runs meet the end of their disk."""
    tally = Tally("disk full at")
    disk = bench.scratch / "disk"
    disk.mkdir()
    mountable = mounted(disk, "size=64k")
    if mountable:
        umount(disk)
    else:
        print("full disk: mounting is not allowed; a limit of the size of files stands in", flush=True)
    sizes = disk_sizes(bench, wanted) if mountable else [f"limit={(index + 1) * PAGE}" for index in range(wanted)]
    for number, size in enumerate(sizes, start=1):
        (fill_disk if mountable else fill_files)(bench, disk, size, tally)
        progress("full disk", number, len(sizes), tally)
    return tally


def disk_sizes(bench: Bench, wanted: int) -> list[str]:
    """Return options of mount: two thirds too small, from one page on; one third with too few inodes."""
    files = [path for path in (bench.scratch / "reference").rglob("*") if path.is_file()]
    pages = sum(-(-path.stat().st_size // PAGE) for path in files) + 4
    inodes = len(files) + 12
    few = wanted // 3
    many = wanted - few
    found = [f"size={PAGE * (1 + index * pages // many)}" for index in range(many)]
    return found + [f"size=16m,nr_inodes={2 + index * inodes // few}" for index in range(few)]


def mounted(folder: Path, options: str) -> bool:
    """Mount a small disk, or change its size, and return whether that is possible."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def umount(folder: Path) -> None:
    """Unmount a disk; what is on it is gone."""
    subprocess.run(["umount", str(folder)], check=True)


def fill_disk(bench: Bench, disk: Path, size: str, tally: Tally) -> None:
    """Run on a disk that is too small, then on one that is not."""
    if not mounted(disk, size):
        raise SystemExit(f"{disk} cannot be mounted with {size}")
    try:
        full = forked("main", bench.words(disk))
        enlarge = ["mount", "-o", "remount,size=16m,nr_inodes=1k", str(disk)]
        kind = count_full(full, disk, size, tally)
        saved = bench.scratch / f"disk-{size}"
        shutil.copytree(disk, saved)  # as it was when the disk was full
        subprocess.run(enlarge, check=True)
        before = len(tally.failures)
        finish_copy(bench, disk, f"{size}: exit code {full.code}\n{full.output}\nwas, full, as in {saved}", kind, tally)
        if len(tally.failures) == before and not full.defect:
            shutil.rmtree(saved)
    finally:
        umount(disk)


def finish_copy(bench: Bench, disk: Path, history: str, kind: str, tally: Tally) -> None:
    """Go on in a folder of the disk that may be removed."""
    outdir = disk / "on"
    outdir.mkdir()
    for path in [path for path in disk.iterdir() if path != outdir]:
        path.rename(outdir / path.name)
    bench.finish(tally, kind, outdir, history)


def fill_files(bench: Bench, disk: Path, size: str, tally: Tally) -> None:
    """Run with a limit of the size of files, then without."""
    most = int(size.partition("=")[2])
    outdir = disk / str(most)
    outdir.mkdir()
    limits = (most, resource.RLIM_INFINITY)
    full = forked("main", bench.words(outdir), prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    bench.finish(tally, count_full(full, outdir, size, tally), outdir, f"{size}: exit code {full.code}\n{full.output}")


def count_full(full: Ended, outdir: Path, size: str, tally: Tally) -> str:
    """Count how a run ended whose disk was full, and return where in the run that was."""
    kind = f"{re.sub('=.*', '', size.rpartition(',')[2])}, {stage(full._replace(code=-1), outdir)}"
    told = full.output[full.output.rfind("\nfedmezo: ") + 1 :]
    if full.defect:
        what = full.defect
    elif full.code == 0:
        kind, what = "nothing, it fits", "exit 0"
    elif full.code != 3 or full.output.count("fedmezo: ") != 1:
        what = f"exit {full.code}, {full.output.count('fedmezo: ')} messages"
    else:
        what = "exit 3, one message" if str(outdir) in told else UNNAMED
    failed = what not in ("exit 0", "exit 3, one message")
    tally.add(kind, what, f"{size}: exit code {full.code}\n{full.output}" if failed else "")
    return kind


# --- all of it


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--kills", metavar="N", type=int, default=100, help="runs killed at a random instant")
    found.add_argument("--operations", metavar="N", type=int, default=100, help="runs killed before a file operation")
    found.add_argument("--damages", metavar="N", type=int, default=500, help="damaged run folders")
    found.add_argument("--full-disk", metavar="N", type=int, nargs="?", const=48, default=0, help="disks that are full")
    found.add_argument("--seed", type=int, default=0, help="of instants, places and noise")
    found.add_argument("--trainer", default="mezotrainer", help="mezotrainer (default) or llmtrainer")
    return found


def main() -> int:
    """Run the parts that are asked for and return 0 if every target is met, else 1."""
    options = parser().parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="crash_test."))
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "FEDMEZO_CACHE": str(scratch / "cache")}
    preload()
    bench = Bench(scratch, options.trainer, options.seed)
    bench.measure()
    print(f"{options.trainer}, seed {options.seed}, in {scratch}: the run takes {bench.wall:.2f} s", flush=True)
    tallies = tested(bench, options)
    failures = [failure for tally in tallies for failure in tally.failures]
    print("".join(f"\n{tally.table()}\n" for tally in tallies))
    print(f"{len(failures)} failures{f'; see {scratch}' if failures else ''}")
    if not failures:
        shutil.rmtree(scratch)
    return 1 if failures else 0


def tested(bench: Bench, options: argparse.Namespace) -> list[Tally]:
    """Run the parts that are asked for."""
    tallies = []
    if options.kills:
        tallies.append(kills(bench, options.kills))
    if options.operations:
        tallies.append(operations(bench, options.operations))
    if options.damages:
        tallies += damages(bench, options.damages)
    if options.full_disk:
        tallies.append(full_disk(bench, options.full_disk))
    return tallies


if __name__ == "__main__":
    sys.exit(main())
