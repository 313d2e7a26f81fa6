"""Replaying a ledger against the textbook's way of making the same number of directions, side by side and interleaved.

python -m benchmarks.replay [--repeats N] [--json FILE]

A round of three clients with 30 steps is 90 directions; the textbook's loop makes each with a seeded ``torch.normal``
and adds it. Then what going on costs: a made-up ledger of 500 rounds is read, and the parameters after round 499 come
from the snapshot there, against loading the model. Sizes are SmolLM2's; the values do not matter.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fedmezo.core.directions.scaled import Directions
from fedmezo.federation.aggregation.folding import ScalarAggregation, Weighting
from fedmezo.ledger.codec import HASHES
from fedmezo.ledger.ledger import Ledger
from fedmezo.ledger.records import ClientRecord, EvaluationRecord, HashRecord, Header, Measured, RoundRecord
from fedmezo.ledger.snapshots import Snapshots
from fedmezo.ledger.store import Store
from fedmezo.models.hubs import load_base_model
from fedmezo.zeroth_order.replay import DirectionKeys, Replay

SIZES = {"LoRA r=8": 460_800, "LoRA r=128": 7_372_800, "all parameters": 134_515_008}
MOST = 4_000_000_000  # directions x parameters in a repeat
CLIENTS, STEPS, ROUNDS = 3, 30, 500


def a_round(index: int, steps: int = STEPS) -> RoundRecord:
    """Return a made-up round."""
    draw = np.random.default_rng(index)
    rows = (
        ClientRecord(client, 1e-5, steps, steps, 1.0, gradients=draw.normal(size=(steps, 1)).astype(np.float32))
        for client in range(CLIENTS)
    )
    return RoundRecord(index, tuple(rows))


def aggregation(size: int, distribution: str) -> ScalarAggregation:
    """Return the server's arithmetic for so many parameters."""
    replay = Replay(((0, size, False),), 0.0, Directions(distribution))
    return ScalarAggregation(replay, DirectionKeys(0), Weighting((1,) * CLIENTS))


def seconds(work: Callable[[], object]) -> float:
    """Return what a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def rates(size: int, repeats: int) -> list[dict[str, object]]:
    """Return a row for each way of replaying a round, with (direction x parameter) a second."""
    steps = max(1, min(STEPS, MOST // size // CLIENTS))
    start, record, count = torch.zeros(size), a_round(0, steps), CLIENTS * steps
    generator = torch.Generator()

    def textbook() -> None:
        point = start.clone()
        for number in range(count):
            generator.manual_seed(number)
            point.add_(torch.normal(0.0, 1.0, (size,), generator=generator), alpha=1e-6)

    ways: dict[str, Callable[[], object]] = {"textbook": textbook}
    for distribution in ("gaussian", "rademacher"):
        folding = aggregation(size, distribution)
        ways[distribution] = lambda folding=folding: folding.apply(record, start)  # type: ignore[misc]
    found: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for _ in range(repeats):
        for name, work in ways.items():
            found[name].append(seconds(work))
    base = np.array(found["textbook"])
    return [
        {
            "way": name,
            "parameters": size,
            "directions": count,
            "milliseconds": 1e3 * float(np.median(values)),
            "rate": count * size / float(np.median(values)),
            "times_textbook": float(np.median(base / np.array(values))),
        }
        for name, values in found.items()
    ]


def going_on() -> list[tuple[str, str]]:
    """Return what a ledger of 500 rounds weighs, and what going on from it costs."""
    size = SIZES["LoRA r=8"]
    with tempfile.TemporaryDirectory() as scratch:
        store = written(Path(scratch), size)
        bytes_ = store.ledger.path.stat().st_size
        reading = seconds(lambda: Ledger(store.ledger.path))
        rounds = Ledger(store.ledger.path).rounds()[:499]
        folding = aggregation(size, "gaussian")

        def restore() -> None:
            start = store.nearest(rounds, size, lambda record: folding.seconds(record, size))
            point = start.parameters
            assert point is not None and start.rounds_done == 499
            for record in rounds[start.rounds_done :]:
                point, _ = folding.apply(record, point)

        restore()
        restoring = seconds(restore)
    started = time.perf_counter()
    load_base_model("SmolLM2-135M-Instruct@package_llm", dtype=torch.float32, cache=Path.home() / ".cache" / "fedmezo")
    loading = time.perf_counter() - started
    return [
        ("ledger of 500 rounds x 3 clients x 30 steps, 50 evaluations, 50 hashes", f"{bytes_:,} bytes"),
        ("reading and checking it", f"{1e3 * reading:.0f} ms"),
        ("parameters after round 499, from the snapshot there", f"{1e3 * restoring:.0f} ms"),
        ("loading SmolLM2-135M", f"{1e3 * loading:.0f} ms"),
    ]


def written(folder: Path, size: int) -> Store:
    """Write a ledger of 500 made-up rounds, and a snapshot after round 499."""
    ledger = Ledger(folder / "ledger.bin")
    configuration = {f"a.key.of.thirty.characters.{number:03d}": 1e-5 for number in range(90)}
    ledger.begin(Header(dict.fromkeys(HASHES, bytes(16)), size, configuration))
    store = Store(ledger, Snapshots(folder / "snapshots"), 0)
    for index in range(ROUNDS):
        ledger.append(a_round(index))
        if (index + 1) % 10 == 0:
            ledger.append(HashRecord(index + 1, bytes(16)))
            found = {"loss": Measured(1.234567890123456)}
            ledger.append(EvaluationRecord(index + 1, {"val": found, "test": found}))
        if index + 1 == 499:
            store.snapshots.write(499, torch.randn(size), ledger.chains()[499])
    return store


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, medians of {options.repeats}\n")
    print("| parameters | directions | way | ms | direction x parameter a second | times the textbook |")
    print("|---|---|---|---|---|---|")
    rows = []
    for name, size in SIZES.items():
        for row in rates(size, options.repeats):
            rows.append(row | {"trainable": name})
            print(
                f"| {name} | {row['directions']} | {row['way']} | {row['milliseconds']:.0f} | {row['rate']:.2e} "
                f"| {row['times_textbook']:.1f} |",
                flush=True,
            )
    print("\n| going on at round 499 (LoRA r=8) | |\n|---|---|")
    for what, cost in going_on():
        print(f"| {what} | {cost} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
