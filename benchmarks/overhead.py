"""Where the time of a round goes: scoring, updating, and everything else.

python -m benchmarks.overhead [--cfg FILE] [key value ...]

A round of three clients with 30 steps of one example each, LoRA r=128, and one of all parameters, where the parameters
wait in a file while a client moves them.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.zeroth_order.replay import MovingPrefix, Prefix, Replay
from fedmezo.zeroth_order.scoring import Scorer, layerwise

COMMON = ["federate.client_num", "3", "dataloader.batch_size", "1"]
CASES = {
    "LoRA r=128, 30 steps": ["llm.adapter.args", "[{adapter_method: lora, r: 128, lora_alpha: 256}]"],
    "all parameters, 30 steps": ["llm.adapter.use", "False"],
}


class Clock:
    """Seconds spent in some functions, each by a name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Replace a function of a class by one that adds its time to a name."""
        plain: Callable[..., Any] = getattr(owner, function)

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return plain(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

        setattr(owner, function, timed)

    def watch_context(self, module: Any, function: str, name: str) -> None:
        """Replace a context manager by one whose entering and leaving add their time to a name."""
        plain: Callable[..., Any] = getattr(module, function)

        @contextmanager
        def timed(*args: Any) -> Iterator[None]:
            started, inside = time.perf_counter(), 0.0
            with plain(*args):
                entered = time.perf_counter()
                yield
                inside = time.perf_counter() - entered
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started - inside

        setattr(module, function, timed)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", type=Path, default=Path("configs/word_problems.yaml"))
    parser.add_argument("--steps", default="30")
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    clock = Clock()
    clock.watch(Scorer, "losses_together", "scoring")
    clock.watch(Replay, "__call__", "updating")
    for prefix in (Prefix, MovingPrefix):
        clock.watch(prefix, "append", "updating")
    clock.watch_context(layerwise, "backed_up", "parameters to the disk and back")
    print("| round | seconds | scoring | updating | parameters to the disk and back | everything else |")
    print("|---|---|---|---|---|---|")
    for name, changes in CASES.items():
        steps = ["train.local_update_steps", options.steps]
        cfg = config.load(options.cfg, [*COMMON, *steps, *changes, *options.overrides])
        task = assemble_learning_task(cfg)
        federation = assemble_federation(cfg, task)
        server = federation.server
        plan = server.plan(0)
        clock.seconds.clear()
        started = time.perf_counter()
        server.apply(server.aggregate(plan, federation.engine.run(plan, server.parameters)))
        whole = time.perf_counter() - started
        parts = [clock.seconds.get(part, 0.0) for part in ("scoring", "updating", "parameters to the disk and back")]
        shares = [f"{100 * part / whole:.2f} %" for part in (*parts, whole - sum(parts))]
        print(f"| {name} | {whole:.1f} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
