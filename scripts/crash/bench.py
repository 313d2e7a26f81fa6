"""The run of the tests, its reference, and how another one is compared with that."""

import json
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scripts.crash.programs import PATIENCE, Ended, forked
from scripts.crash.tally import Tally

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
TOO_LATE = "ended before the kill"


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
