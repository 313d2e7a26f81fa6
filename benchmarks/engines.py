"""What it costs to have clients work in other processes: seconds, memory and bytes of every engine.

python -m benchmarks.engines [--quick] [--model tiny smollm2 many] [--only WORD ...] [--data FOLDER] [--json FILE]

``tiny``: 3 clients of a tiny model; ``smollm2``: 2 clients of SmolLM2-135M, LoRA r=8, on GSM8K (or, without ``--data``,
on word problems); ``many``: 200 simulated clients of the tiny model with one local step each. All on this machine's
loopback, one thread a process (``engine.threads 1``), nodes with the default ``--poll``.

Overhead of a round is its seconds without those of the clients' work, as the clients have measured them: their sum
where one works after the other (local, one worker); of several workers the busiest one's, each client in turn having
gone to the one that was free first; the slowest client's where each has a node. So waiting for messages, replaying
rounds on nodes and aggregation are overhead. Figures are medians over all rounds but the first and the last (which
evaluates). The load is the machine's, averaged over the last minute of the run: with more than its cores, every figure
is too high.

Start-up is from the start of the server's process to the beginning of the first round, nodes being there already.
Memory is the peak of a process (VmHWM). Bytes are counted by a proxy between a node and the SuperLink, both ways, with
HTTP's headers and with the node's looks for work, in a run of their own. (Linux.)
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fedmezo.reporting.metrics import read_metrics
from scripts.make_certificates import main as make_certificates
from tests.federation.engines.loopback import Loopback, free_port

TINY: dict[str, Any] = {
    "model": {"type": "tiny-llama@random_llm"},
    "data": {"type": "arithmetic@llm", "num_examples": 60, "splits": [0.8, 0.1, 0.1]},
    "llm": {"tok_len": 420, "adapter": {"args": [{"adapter_package": "peft", "adapter_method": "lora", "r": 4}]}},
    "dataloader": {"batch_size": 2},
    "federate": {"client_num": 3},
    "train": {"local_update_steps": 2, "optimizer": {"lr": 0.01}},
    "zo": {"mu": 0.005},
}
SMOLLM2: dict[str, Any] = {
    "model": {"type": "SmolLM2-135M-Instruct@package_llm"},
    "data": {"type": "arithmetic@llm", "num_examples": 400, "splits": [0.8, 0.0, 0.2]},
    "llm": {"tok_len": 512, "adapter": {"args": [{"adapter_package": "peft", "adapter_method": "lora", "r": 8}]}},
    "dataloader": {"batch_size": 1},
    "federate": {"client_num": 2},
    "train": {"local_update_steps": 2, "optimizer": {"lr": 0.006}},
    "zo": {"mu": 0.005},
}
MANY: dict[str, Any] = TINY | {
    "data": {"type": "arithmetic@llm", "num_examples": 1000, "splits": [0.8, 0.1, 0.1]},
    "federate": {"client_num": 200},
    "train": {"local_update_steps": 1, "optimizer": {"lr": 0.01}},
}
COMMON: dict[str, Any] = {
    "expname": "run",
    "engine": {"threads": 1},
    "eval": {"freq": 1000, "split": ["test"], "max_examples": 2, "best_res_update_round_wise_key": "test_loss"},
}
MODELS = {"tiny": TINY, "smollm2": SMOLLM2, "many": MANY}
PATIENCE = 900.0  # seconds for a run
IDLE = 10.0  # seconds that an idle node's bytes are counted for


@dataclass(frozen=True)
class Case:
    """An engine: its name, its type, how many clients work at the same time, whether over TLS, GPUs of a worker."""

    name: str
    kind: str
    workers: int = 1
    secure: bool = False
    counted: bool = False
    gpus: float = 0.0


CASES = {
    case.name: case
    for case in (
        Case("local", "local"),
        Case("flower_simulation, 1 worker", "flower_simulation"),
        Case("flower_simulation, 2 workers", "flower_simulation", 2),
        Case("flower, plaintext", "flower", 0),
        Case("flower, TLS and keys", "flower", 0, secure=True),
        Case("flower, bytes", "flower", 0, counted=True),
    )
}


@dataclass
class Memory:
    """Peak MiB of processes and of all that they start, by what they are."""

    roots: dict[str, int]
    peaks: dict[tuple[str, int], float] = field(default_factory=dict)

    def look(self) -> None:
        """Take note of what is there now: a process's peak never falls."""
        parents = _parents()
        for name, root in self.roots.items():
            for process in _under(root, parents):
                kind = name if process == root else _kind(process)
                if kind and (peak := _peak(process)):
                    self.peaks[kind, process] = peak

    def summary(self) -> dict[str, list[float]]:
        """Return the peaks of each kind of process, the largest first."""
        found: dict[str, list[float]] = {}
        for (kind, _), peak in self.peaks.items():
            found.setdefault(kind, []).append(peak)
        return {kind: sorted(peaks, reverse=True) for kind, peaks in found.items()}


def _parents() -> dict[int, int]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(path.parent.name)] = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


def _under(root: int, parents: dict[int, int]) -> list[int]:
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def _kind(process: int) -> str:
    """Return what a process that another one has started is; nothing where it is of no interest."""
    with suppress(OSError):
        line = Path(f"/proc/{process}/cmdline").read_text(errors="replace")
        if "ray::ClientAppActor" in line:
            return "worker"
        return "Ray's own" if "ray" in line else ""
    return ""


def _peak(process: int) -> float:
    with suppress(OSError, IndexError, ValueError):
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return 0.0


class CountingProxy:
    """Passes bytes on between whoever connects and an address, and counts them.

    Args:
        port: on this machine, that they go on to.
    """

    def __init__(self, port: int) -> None:
        self.up = self.down = 0
        self.port = free_port()
        self._target = port
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            with suppress(OSError):
                client, _ = self._server.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with (
            client,
            socket.create_connection(("127.0.0.1", self._target)) as server,
            selectors.DefaultSelector() as both,
        ):
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            both.register(client, selectors.EVENT_READ, server)
            both.register(server, selectors.EVENT_READ, client)
            with suppress(OSError):
                while True:
                    for key, _ in both.select():
                        source, target = key.fileobj, key.data
                        assert isinstance(source, socket.socket)
                        data = source.recv(1 << 16)
                        if not data:
                            return
                        if source is client:
                            self.up += len(data)
                        else:
                            self.down += len(data)
                        target.sendall(data)


def busiest(seconds: Sequence[float], workers: int) -> float:
    """Return how long the busiest of some workers works; 0 workers: one for each client.

    Examples:
        >>> busiest([1.0, 1.0, 1.0], 1), busiest([1.0, 1.0, 1.0], 2), busiest([1.0, 2.0, 1.0], 0)
        (3.0, 2.0, 2.0)
    """
    busy = [0.0] * (workers or len(seconds))
    for each in seconds:
        busy[busy.index(min(busy))] += each
    return max(busy)


def measured(case: Case, model: str, rounds: int, data: Path | None) -> dict[str, Any]:
    """Run a case, and return its figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fedmezo-engines-")))
        content = MODELS[model] | COMMON
        content["federate"] = content["federate"] | {"total_round_num": rounds}
        if data is not None and model == "smollm2":
            content["data"] = content["data"] | {"type": "gsm8k@llm", "root": str(data.absolute())}
        cfg = folder / "run.yaml"
        cfg.write_text(yaml.safe_dump(content), encoding="utf-8")
        if case.secure:
            make_certificates([str(folder / "keys"), "--nodes", "3"])
        deployment = stack.enter_context(Loopback(folder, cfg, folder / "keys" if case.secure else None, poll=0.5))
        clients = int(content["federate"]["client_num"])
        proxy, more = _begin(deployment, case, clients)
        run = folder / "runs" / "run"
        started = time.monotonic()
        deployment.serve(*more)
        memory = Memory({_role(name): process.pid for name, process in deployment.processes.items()})
        wire = _watch(deployment, run / "metrics.jsonl", memory, proxy)
        rows = read_metrics(run / "metrics.jsonl")
        assert len(rows) == rounds, deployment.log("server")
        return _figures(case, rows, memory) | {
            "model": model,
            "start_up": wire["first"] - started - rows[0]["seconds"],
            "first_round": rows[0]["seconds"],
            "load": os.getloadavg()[0],
            **({"wire": wire["bytes"] | {"idle_per_second": wire["idle"]}} if proxy else {}),
        }


def _role(name: str) -> str:
    return "node" if name == "node0" else name


def _begin(deployment: Loopback, case: Case, clients: int) -> tuple[CountingProxy | None, list[str]]:
    """Start SuperLink and nodes, where the engine has them, and return the overrides of the engine."""
    if case.kind != "flower":
        simulated = case.kind == "flower_simulation"
        workers = ["engine.workers", str(case.workers), "engine.gpus", str(case.gpus)] if simulated else []
        return None, ["engine.type", case.kind, "engine.superlink", "", *workers]
    deployment.superlink()
    if case.secure:
        deployment.register(*range(clients))
    proxy = CountingProxy(deployment.port) if case.counted else None
    for client in range(clients):
        through = ["--superlink", f"127.0.0.1:{proxy.port}"] if proxy and client == 0 else []
        deployment.node(client, *through)
    for client in range(clients):
        deployment.said(f"node{client}", "waiting for work")
    return proxy, []


def _watch(deployment: Loopback, metrics: Path, memory: Memory, proxy: CountingProxy | None) -> dict[str, Any]:
    """Watch a run to its end, and return when its first round was over and, with a proxy, what was sent."""
    seen: list[tuple[float, int, int]] = []
    process, until, looked = deployment.processes["server"], time.monotonic() + PATIENCE, 0.0
    while process.poll() is None:
        assert time.monotonic() < until, f"the run takes too long\n{deployment.log('server')[-2000:]}"
        if time.monotonic() > looked + 1.0:
            memory.look()
            looked = time.monotonic()
        if len(read_metrics(metrics)) > len(seen):
            seen.append((time.monotonic(), *((proxy.up, proxy.down) if proxy else (0, 0))))
        time.sleep(0.05)
    assert process.returncode == 0, deployment.log("server")[-3000:]
    found: dict[str, Any] = {"first": seen[0][0]}
    if proxy:
        rounds = len(seen) - 1
        found["bytes"] = {"up": (seen[-1][1] - seen[0][1]) / rounds, "down": (seen[-1][2] - seen[0][2]) / rounds}
        time.sleep(2.0)
        before = proxy.up + proxy.down
        time.sleep(IDLE)
        found["idle"] = (proxy.up + proxy.down - before) / IDLE
    return found


def _figures(case: Case, rows: list[dict[str, Any]], memory: Memory) -> dict[str, Any]:
    counted = rows[1:-1]
    compute = [busiest([client["seconds"] for client in row["clients"]], case.workers) for row in counted]
    seconds = [row["seconds"] for row in counted]
    overhead = [whole - part for whole, part in zip(seconds, compute, strict=True)]
    last = counted[-1]["clients"][0]
    return {
        "engine": case.name,
        "rounds": len(counted),
        "seconds": statistics.median(seconds),
        "compute": statistics.median(compute),
        "overhead": statistics.median(overhead),
        "overhead_range": [min(overhead), max(overhead)],
        "memory": memory.summary(),
        "told": {"up": last["bytes_up"], "down": last["bytes_down"]},
    }


def row_of(found: dict[str, Any]) -> str:
    """Return a row of Markdown of a case's times."""
    low, high = found["overhead_range"]
    return (
        f"| {found['model']} | {found['engine']} | {found['start_up']:.1f} | {found['first_round']:.2f} "
        f"| {found['seconds']:.3f} | {found['compute']:.3f} | **{found['overhead']:.3f}** ({low:.3f} .. {high:.3f}) "
        f"| {found['load']:.1f} |"
    )


def memory_row(found: dict[str, Any]) -> str:
    """Return a row of Markdown of a case's memory."""
    memory: dict[str, list[float]] = found["memory"]
    single = [f"{memory[kind][0]:.0f}" if kind in memory else "" for kind in ("server", "worker", "node", "superlink")]
    ray = memory.get("Ray's own", [])
    single.append(f"{sum(ray):.0f} in {len(ray)}" if ray else "")
    return f"| {found['model']} | {found['engine']} | {' | '.join(single)} |"


def wire_row(found: dict[str, Any]) -> str:
    """Return a row of Markdown of a case's bytes."""
    wire, told = found["wire"], found["told"]
    return (
        f"| {found['model']} | {found['seconds']:.2f} | {wire['up']:.0f} | {wire['down']:.0f} | {told['up']} "
        f"| {told['down']} | {wire['idle_per_second']:.0f} |"
    )


def tables(found: list[dict[str, Any]]) -> str:
    """Return all figures as Markdown."""
    timed = [each for each in found if "wire" not in each]
    wired = [each for each in found if "wire" in each]
    parts: list[tuple[str, str, list[dict[str, Any]], Callable[[dict[str, Any]], str]]] = [
        (
            "| model | engine | start-up, s | first round, s | round, s | compute, s | overhead, s (range) | load |",
            "|---|---|---|---|---|---|---|---|",
            *(timed, row_of),
        ),
        (
            "| model | engine | server, MiB | a worker | a node | SuperLink | Ray's own processes |",
            "|---|---|---|---|---|---|---|",
            *(timed, memory_row),
        ),
        (
            "| model | round, s | up, on the wire, B | down | up, as reported, B | down | idle, B/s |",
            "|---|---|---|---|---|---|---|",
            *(wired, wire_row),
        ),
    ]
    return "\n\n".join("\n".join([head, line, *map(row, each)]) for head, line, each, row in parts if each)


def wanted(options: argparse.Namespace) -> list[tuple[str, Case]]:
    """Return the models with the engines that are asked for."""
    cases = [case for case in CASES.values() if any(word in case.name for word in options.only)]
    return [
        (model, case)
        for model in options.model
        for case in cases
        if model != "many" or case.name in ("local", "flower_simulation, 2 workers")
    ]


def main() -> None:
    """Measure, and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 rounds instead of 14 (many: 4 instead of 12)")
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the engines' names")
    parser.add_argument("--data", type=Path, help="folder of GSM8K's files")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = []
    for model, case in wanted(options):
        rounds = (6 if options.quick else 14) - (2 if model == "many" else 0)
        found.append(measured(case, model, rounds, options.data))
        print(row_of(found[-1]), file=sys.stderr, flush=True)
    print(tables(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
