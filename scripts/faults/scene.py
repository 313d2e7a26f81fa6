"""A federation on loopback to which a fault happens, and what is seen of its run."""

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import RoundRecord
from fedmezo.reporting.metrics import read_metrics
from tests.federation.engines.loopback import REPOSITORY, Loopback

CLIENTS = 3
ROUNDS = 14
CONFIGURATION: dict[str, Any] = {
    "expname": "run",
    "extensions": [str(REPOSITORY / "tests" / "federation" / "engines" / "faulty.py")],
    "model": {"type": "tiny-llama@random_llm"},
    "data": {"type": "arithmetic@llm", "num_examples": 60, "splits": [0.8, 0.1, 0.1]},
    "llm": {"tok_len": 420, "adapter": {"args": [{"adapter_package": "peft", "adapter_method": "lora", "r": 4}]}},
    "dataloader": {"batch_size": 2},
    "federate": {"client_num": CLIENTS, "total_round_num": ROUNDS, "save_freq": 5, "hash_freq": 2},
    "trainer": {"type": "faulty"},
    "train": {"local_update_steps": 2, "optimizer": {"lr": 0.01}},
    "eval": {"freq": 7, "split": ["test"], "best_res_update_round_wise_key": "test_loss"},
    "zo": {"mu": 0.005},
    "engine": {"threads": 1},
}
DELAY = 0.6  # seconds that a client sleeps in a round
HIT = 4  # the round in which a fault happens
VICTIM = 1  # the client
PATIENCE = 240.0  # seconds for a run


@dataclass
class Scene:
    """A federation, the demands that are made of its clients, and what is seen of its run.

    Args:
        deployment: its processes.
        common: overrides that server and nodes are given.
    """

    deployment: Loopback
    common: list[str] = field(default_factory=list)
    started: float | None = None  # when the first round was over, and the last
    ended: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.deployment.folder / "runs" / "run"

    @property
    def demands(self) -> Path:
        """The folder of what is demanded of clients."""
        return self.deployment.folder / "faults"

    def begin(self, *overrides: str) -> None:
        """Start everything, and wait for the end of the first round."""
        self.begin_deployment()
        self.begin_run(*overrides)

    def begin_deployment(self) -> None:
        """Start SuperLink and nodes."""
        self.demands.mkdir()
        self.deployment.superlink()
        if self.deployment.certificates is not None:
            self.deployment.register(*range(CLIENTS))
        for client in range(CLIENTS):
            self.start_node(client)

    def start_node(self, client: int = VICTIM) -> None:
        """Start a node."""
        self.deployment.node(client, *self.common)

    def begin_run(self, *overrides: str) -> None:
        """Start the server, and wait for the end of the first round."""
        self.deployment.serve(*self.common, *overrides)
        self.wait_for_rounds(1)
        self.started = time.monotonic()

    def demand(self, fault: str, times: str = "1", client: int = VICTIM, round_index: int = HIT) -> None:
        """Have a client do something in a round."""
        (self.demands / f"{fault}-{client}-{round_index}").write_text(times)

    def wait_for_rounds(self, count: int) -> None:
        """Wait until so many rounds are over."""
        server = self.deployment.processes["server"]
        self.deployment.until(
            lambda: len(read_metrics(self.run / "metrics.jsonl")) >= count or server.poll() is not None,
            f"no {count} rounds",
        )
        assert server.poll() in (None, 0), f"the server has ended\n{self.deployment.log('server')[-2000:]}"

    def wait_for_hit(self) -> None:
        """Wait until the victim is in the middle of its round."""
        note = self.demands / f"client{VICTIM}"
        self.deployment.until(
            lambda: note.exists() and int(note.read_text() or -1) >= HIT, f"client {VICTIM} comes to no round {HIT}"
        )
        time.sleep(DELAY / 3)

    def wait_for_end(self, expected: int = 0) -> None:
        """Wait for the end of the server, which is to have an exit code."""
        server, until, seen = self.deployment.processes["server"], time.monotonic() + PATIENCE, 0
        while server.poll() is None and time.monotonic() < until:
            count = len(read_metrics(self.run / "metrics.jsonl"))
            if count != seen:  # what follows the last round, pictures and files, is no round's time
                seen, self.ended = count, time.monotonic()
            time.sleep(0.1)
        code = self.deployment.ended("server", 0.1)
        assert code == expected, f"exit code {code}, expected {expected}\n{self.deployment.log('server')[-2000:]}"

    def rounds(self) -> list[RoundRecord]:
        """Return the recorded rounds."""
        return Ledger(self.run / "ledger.bin").rounds()

    def left_out(self) -> list[tuple[int, int, str]]:
        """Return who was left out: (round, client, reason)."""
        return [(each.round_index, row.client, row.reason) for each in self.rounds() for row in each.rejected]

    def lost(self) -> float:
        """Return the seconds that the fault has cost."""
        assert self.started is not None and self.ended is not None
        usual = statistics.median(row["seconds"] for row in read_metrics(self.run / "metrics.jsonl") if row["seconds"])
        return max(0.0, self.ended - self.started - float(usual) * (len(self.rounds()) - 1))

    def summary(self) -> str:
        """Return who was left out, in words."""
        found: dict[tuple[int, str], list[int]] = {}
        for round_index, client, reason in self.left_out():
            found.setdefault((client, reason), []).append(round_index)
        return "; ".join(
            [f"client {client} in {spans(rounds)}: {reason}" for (client, reason), rounds in found.items()]
            or ["nobody"]
        )


def spans(rounds: list[int]) -> str:
    """Return ascending numbers in words.

    Examples:
        >>> spans([1, 4, 5, 6])
        '1, 4-6'
    """
    parts: list[list[int]] = []
    for each in rounds:
        if parts and each == parts[-1][-1] + 1:
            parts[-1].append(each)
        else:
            parts.append([each])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
