"""Kill parts of a federation, have clients fail, and check what becomes of the run.

python -m scripts.fault_test [--only NAME ...] [--keep FOLDER]

Each fault hits a federation of its own on this machine's loopback: a SuperLink with a database, three nodes and a
server, each a process, with a tiny model. Clients sleep 0.6 s in every round, so that something can be hit in the
middle of it (a client notes the round that it begins: tests/engines/faulty.py). A fault passes if

- the run ends with exit code 0, where said after ``--resume``, and no process has printed a traceback;
- what its ledger says of the fault is as expected: who was left out, in which rounds, and why;
- ``python -m fedmezo.replay RUN --verify`` ends with 0;
- a run with ``engine.type local``, where ``federate.participation`` is this run and nothing fails, ends with the same
  adapters, byte for byte.

Seconds lost: from the end of the first round to that of the last, less as many median rounds. Exit code 0: all pass.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fedmezo.federation.acceptance import FAILED, LATE, NOT_FINITE
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import RoundRecord
from fedmezo.tracking.metrics import read_metrics
from scripts.make_certificates import main as make_certificates
from tests.engines.loopback import REPOSITORY, Loopback

CLIENTS = 3
ROUNDS = 14
CONFIGURATION: dict[str, Any] = {
    "expname": "run",
    "extensions": [str(REPOSITORY / "tests" / "engines" / "faulty.py")],
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
# on a busy machine a round of thirty steps takes 5 s: healthy clients must not be late
DROP = ("federate.on_failure", "drop", "engine.timeout", "20", "engine.wait", "4")
PATIENCE = 240.0  # seconds for a run
TRACEBACK = "Traceback (most recent call last)"


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


def _without_victim(scene: Scene, reasons: tuple[str, ...] = (LATE,), until: int | None = None) -> None:
    """Make sure that the victim, and nobody else, was left out from the hit on, and again took part after ``until``."""
    found = scene.left_out()
    assert {client for _, client, _ in found} == {VICTIM}, found
    assert {reason for _, _, reason in found} <= set(reasons), found
    rounds = [round_index for round_index, _, _ in found]
    assert rounds == list(range(HIT, HIT + len(rounds))), found
    last = len(scene.rounds())
    assert (rounds[-1] == last - 1) if until is None else until <= rounds[-1] < last - 1, found


# --- faults


def node_killed(scene: Scene) -> None:
    """A node is killed in the middle of a round; the others go on."""
    scene.begin(*DROP)
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.wait_for_end()
    _without_victim(scene)


def _node_returns(scene: Scene, *common: str) -> None:
    scene.common += common
    scene.begin(*DROP, "federate.total_round_num", "26")
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.wait_for_rounds(HIT + 2)
    scene.start_node()
    scene.wait_for_end()
    _without_victim(scene, until=HIT + 1)


def node_back(scene: Scene) -> None:
    """A node is killed, and started again after two rounds; the log of all rounds brings it up to date."""
    _node_returns(scene)


def node_back_parameters(scene: Scene) -> None:
    """The same where the parameters are less than the log."""
    small = "[{adapter_package: peft, adapter_method: lora, r: 1}]"
    _node_returns(scene, "train.local_update_steps", "30", "llm.adapter.args", small)


def node_back_weights(scene: Scene) -> None:
    """The same where clients send weights, and are sent the parameters."""
    _node_returns(scene, "federate.transport", "weights")


def client_raises_drop(scene: Scene) -> None:
    """A client raises in one round, which goes on without it."""
    scene.begin_deployment()
    scene.demand("raise")
    scene.begin_run(*DROP)
    scene.wait_for_end()
    assert scene.left_out() == [(HIT, VICTIM, FAILED)], scene.left_out()


def client_raises_retry(scene: Scene) -> None:
    """A client raises once, and is asked again."""
    scene.begin_deployment()
    scene.demand("raise")
    scene.begin_run("federate.retries", "1")
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()
    assert "tried again (1 of 1)" in scene.deployment.log("server")


def client_raises_fail(scene: Scene) -> None:
    """A client raises, which ends the run with a message; it goes on once the cause is mended."""
    scene.begin_deployment()
    scene.demand("raise", times="")
    scene.begin_run()
    scene.wait_for_end(5)
    said = scene.deployment.log("server")
    messages = [line for line in said.splitlines() if f"round {HIT}, client {VICTIM}" in line]
    assert len(messages) == 1 and messages[0].startswith("fedmezo: "), said[-2000:]
    scene.notes.append(messages[0])
    assert len(scene.rounds()) == HIT, len(scene.rounds())
    (scene.demands / f"raise-{VICTIM}-{HIT}").unlink()
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def nan(scene: Scene) -> None:
    """A node sends gradients that are no numbers."""
    scene.begin_deployment()
    scene.demand("nan")
    scene.begin_run()
    scene.wait_for_end()
    assert scene.left_out() == [(HIT, VICTIM, NOT_FINITE)], scene.left_out()


def superlink_killed(scene: Scene) -> None:
    """The SuperLink is killed in the middle of a round, and started again on its database."""
    scene.begin()
    scene.wait_for_hit()
    scene.deployment.kill("superlink")
    time.sleep(2.0)
    scene.deployment.superlink()
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def server_killed(scene: Scene) -> None:
    """The server is killed in the middle of a round, and resumed; the nodes live on."""
    scene.begin()
    scene.wait_for_hit()
    scene.deployment.kill("server")
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def all_killed(scene: Scene) -> None:
    """Everything is killed in the middle of a round, and started again."""
    scene.begin()
    scene.wait_for_hit()
    for name in list(scene.deployment.processes):
        scene.deployment.kill(name)
    scene.deployment.superlink()
    for client in range(CLIENTS):
        scene.start_node(client)
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def same_key(scene: Scene) -> None:
    """A node with a key is killed, and started again at once: the SuperLink takes it for alive, and refuses it."""
    scene.begin("engine.wait", "150")
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.start_node()
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()
    assert "2004" in scene.deployment.log(f"node{VICTIM}"), "the SuperLink did not refuse the node"


def medley(scene: Scene) -> None:
    """A client raises, then a node is killed and waited for, then the server is killed and resumed: all in one run."""
    scene.begin_deployment()
    scene.demand("raise", round_index=2)
    scene.begin_run("federate.on_failure", "drop", "federate.total_round_num", "9")
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.start_node()
    scene.wait_for_rounds(HIT + 2)
    scene.deployment.kill("server")
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert scene.left_out() == [(2, VICTIM, FAILED)], scene.left_out()


Fault = Callable[[Scene], None]
FAULTS: dict[str, Fault] = {
    "node-killed": node_killed,
    "node-back": node_back,
    "node-back-parameters": node_back_parameters,
    "node-back-weights": node_back_weights,
    "client-raises-drop": client_raises_drop,
    "client-raises-retry": client_raises_retry,
    "client-raises-fail": client_raises_fail,
    "nan": nan,
    "superlink-killed": superlink_killed,
    "server-killed": server_killed,
    "all-killed": all_killed,
    "same-key": same_key,
    "medley": medley,
}
SECURE = ("same-key",)


def staged(folder: Path, fault: Fault, secure: bool = False) -> Scene:
    """Have a fault happen to a federation in a folder, and check what became of its run.

    Raises:
        AssertionError: it is not as it should be.
        subprocess.TimeoutExpired: something goes on for too long.
    """
    folder.mkdir(parents=True)
    cfg = folder / "run.yaml"
    cfg.write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
    if secure:
        make_certificates([str(folder / "keys"), "--nodes", str(CLIENTS)])
    faults = {"FEDMEZO_FAULTS": str(folder / "faults"), "FEDMEZO_FAULTS_DELAY": str(DELAY)}
    with Loopback(folder, cfg, folder / "keys" if secure else None, variables=faults) as deployment:
        scene = Scene(deployment)
        fault(scene)
        for log in folder.glob("*.log"):
            assert TRACEBACK not in log.read_text(errors="replace"), f"a traceback in {log.name}"
    judge(scene.run, folder / "local")
    return scene


def judge(run: Path, folder: Path) -> None:
    """Verify a run, and repeat it in one process; the same adapters must come out.

    Args:
        run: its folder.
        folder: for the repetition.

    Raises:
        AssertionError: they do not.
    """
    python = [sys.executable, "-m"]
    # all that the run was given, but for how its clients are executed
    repeat = ["--cfg", str(run / "config.yaml"), "engine.type", "local", "engine.superlink", ""]
    repeat += ["engine.root_certificates", "", "engine.secret", "", "federate.participation", str(run)]
    commands = {
        "replay --verify": [*python, "fedmezo.replay", str(run), "--verify"],
        "the local run": [*python, "fedmezo.main", *repeat, "outdir", str(folder)],
    }
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = {
        name: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        for name, command in commands.items()
    }
    for name, process in started.items():
        said = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0, f"{name}: exit code {process.returncode}\n{said[-2000:]}"
    for name in ("adapter", "adapter_best"):
        ours, theirs = (path / name / "adapter_model.safetensors" for path in (run, folder / "run"))
        assert ours.read_bytes() == theirs.read_bytes(), f"{name} is not that of the local run"


def tried(name: str, folder: Path) -> tuple[bool, list[str]]:
    """Return whether a fault passes, and its row of the table."""
    print(f"{name}: {(FAULTS[name].__doc__ or '').strip()}", flush=True)
    started = time.monotonic()
    try:
        scene = staged(folder, FAULTS[name], name in SECURE)
    except Exception as error:  # noqa: BLE001 - the other faults are of interest nevertheless
        print(f"    FAILED after {time.monotonic() - started:.0f} s, see {folder}: {error}", flush=True)
        if not isinstance(error, AssertionError | subprocess.TimeoutExpired):
            traceback.print_exc()
        return False, [name, "", "", "", "FAILED"]
    row = [name, str(len(scene.rounds())), scene.summary(), f"{scene.lost():.1f}", "passed"]
    print(f"    {row[1]} rounds; left out: {row[2]}; {row[3]} s lost; {time.monotonic() - started:.0f} s in all")
    for note in scene.notes:
        print(f"    {note}")
    sys.stdout.flush()
    return True, row


def main() -> int:
    """Stage all faults, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="NAME", help=f"of {[*FAULTS]}"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave everything in a new folder")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="fedmezo-faults-"))
    found = {name: tried(name, folder / name) for name in options.only}
    print("\n| fault | rounds | left out | seconds lost | |\n|---|---|---|---|---|")
    for _, row in found.values():
        print(f"| {' | '.join(row)} |")
    if not all(passed for passed, _ in found.values()):
        return 1
    if options.keep is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
