"""Adding directions to a vector, against ``torch.normal`` and an addition, side by side and interleaved.

python -m benchmarks.noise [--size N] [--repeats N]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from fedmezo.core.directions import accumulate


def seconds(work: Callable[[], object]) -> float:
    """Return what a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=28_311_552)  # the embeddings of SmolLM2-135M
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    total, generator = torch.randn(options.size), torch.Generator()

    def normal() -> None:
        generator.manual_seed(1)
        total.add_(torch.normal(0.0, 1.0, (options.size,), generator=generator), alpha=1e-9)

    def ours(distribution: str, keys: int) -> Callable[[], object]:
        return lambda: accumulate(total, list(range(keys)), [1e-9] * keys, distribution)

    cases: dict[str, tuple[Callable[[], object], int]] = {
        "torch.normal, then add": (normal, 1),
        "gaussian": (ours("gaussian", 1), 1),
        "gaussian, 8 directions in a pass": (ours("gaussian", 8), 8),
        "rademacher": (ours("rademacher", 1), 1),
        "rademacher, 8 directions in a pass": (ours("rademacher", 8), 8),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for work, _ in cases.values():
        work()
    for _ in range(options.repeats):
        for name, (work, count) in cases.items():
            found[name].append(seconds(work) / count)
    base = np.array(found["torch.normal, then add"])
    print(f"{options.size:,} fp32 elements, {torch.get_num_threads()} threads, medians of {options.repeats}\n")
    print("| | ms a direction | times as fast | elements a second |\n|---|---|---|---|")
    for name, values in found.items():
        middle = float(np.median(values))
        print(f"| {name} | {1e3 * middle:.1f} | {np.median(base / values):.1f} | {options.size / middle:.2e} |")


if __name__ == "__main__":
    main()
