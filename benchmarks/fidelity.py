"""Gradient fidelity of a configuration, for dtypes and perturbation scales.

python -m benchmarks.fidelity [--cfg FILE] [--pairs N] [--half False True] [--mu MU ...] [key value ...]

Fidelity is the correlation of projected gradients with the exact directional derivative (fp32 backpropagation), over
(direction, batch) pairs at the initial point. A default is offered only where it is at least 0.9.
"""

import argparse
from pathlib import Path

from fedmezo import config
from fedmezo.inspection import measure_fidelity

MUS = ("1e-3", "5e-3", "1e-2")


def main() -> None:
    """Measure and print a Markdown table, a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cfg", type=Path, default=Path("configs/quickstart.yaml"))
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--half", nargs="+", choices=("False", "True"), default=["False", "True"])
    parser.add_argument("--mu", nargs="+", default=MUS)
    parser.add_argument("overrides", metavar="key value", nargs="*")
    options = parser.parse_intermixed_args()
    print("| half precision | mu | fidelity | std of exact derivative | std of error | pairs |")
    print("|---|---|---|---|---|---|")
    for half in options.half:
        for mu in options.mu:
            changed = [*options.overrides, "train.is_enable_half", half, "zo.mu", mu]
            found = measure_fidelity(config.load(options.cfg, changed), options.pairs)
            numbers = f"{found.correlation:.3f} | {found.exact_std:.3g} | {found.error_std:.3g} | {found.pairs}"
            print(f"| {half} | {mu} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
