"""The statistics of the directions, as Markdown: moments, tails, distribution, correlations.

python -m benchmarks.direction_statistics > docs/design/direction-statistics.md
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fedmezo.core.directions import direction

SIZE = 1 << 24
KEYS = 64
MOMENTS = {"gaussian": (0, 1, 0, 3, 0, 15), "rademacher": (0, 1, 0, 1, 0, 1)}
Values = NDArray[np.float64]


def values(key: int, distribution: str, size: int = SIZE) -> Values:
    """Return z(key)[0:size] in fp64."""
    return direction(key, 0, size, distribution).numpy().astype(np.float64)


def moments(z: Values, distribution: str) -> list[list[object]]:
    """Return rows of the first six moments, and how many standard errors they are off."""
    rows: list[list[object]] = []
    for order, wanted in enumerate(MOMENTS[distribution], start=1):
        powers = z**order
        error = float(powers.std()) / math.sqrt(len(z))
        off = abs(float(powers.mean()) - wanted)
        rows.append([order, wanted, f"{powers.mean():.6f}", f"{off / error:.2f}" if error > 1e-12 else "exact"])
    return rows


def tails(z: Values) -> list[list[object]]:
    """Return rows of how many values are beyond a bound, and how many should be."""
    rows: list[list[object]] = []
    for bound in (1, 2, 3, 4, 5):
        wanted = 2 * NormalDist().cdf(-bound) * len(z)
        found = int((np.abs(z) > bound).sum())
        rows.append([bound, f"{wanted:.1f}", found, f"{(found - wanted) / math.sqrt(wanted):+.2f}"])
    return rows


def kolmogorov_smirnov(z: Values) -> tuple[float, float]:
    """Return the largest distance to the normal distribution function, and its p-value."""
    ordered = np.sort(z)
    cdf = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in ordered[:: 1 << 6]])  # every 64th is enough
    ranks = np.arange(0, len(z), 1 << 6)
    distance = float(max(np.abs(cdf - ranks / len(z)).max(), np.abs(cdf - (ranks + 1) / len(z)).max()))
    scaled = distance * math.sqrt(len(z))
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 100))
    return distance, min(1.0, max(0.0, p))


def correlations(distribution: str) -> list[list[object]]:
    """Return rows of correlations with neighbours and between keys, times sqrt(n): standard normal if independent"""
    z = values(1, distribution)
    rows: list[list[object]] = [
        [f"z[i] and z[i + {lag}]", f"{float((z[:-lag] * z[lag:]).mean()) * math.sqrt(len(z) - lag):+.2f}"]
        for lag in (1, 2, 3, 4, 32, 128, 1024)
    ]
    rows.append(
        ["z[i]^2 and z[i + 1]^2", f"{_corr(z[:-1] ** 2, z[1:] ** 2):+.2f}" if z.std() and np.ptp(z**2) else "-"]
    )
    size = 1 << 18
    sample = np.stack([values(key, distribution, size) for key in range(KEYS)])
    products = (sample @ sample.T / math.sqrt(size))[np.triu_indices(KEYS, 1)]
    count = len(products)
    rows.append([f"keys 0 .. {KEYS - 1}, {count} pairs: largest", f"{np.abs(products).max():.2f}"])
    rows.append(["the same: standard deviation (1 expected)", f"{products.std():.3f}"])
    rows.append(["key k and key k XOR 1 (one bit)", f"{float((sample[0] * sample[1]).mean()) * math.sqrt(size):+.2f}"])
    return rows


def _corr(a: Values, b: Values) -> float:
    return float(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a))


def table(header: list[str], rows: list[list[object]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def main() -> None:
    """Print the report."""
    print("# Statistics of the directions\n")
    print("<!-- Made by: python -m benchmarks.direction_statistics > docs/design/direction-statistics.md -->\n")
    print(
        f"z(1)[0 : {SIZE:,}] where nothing else is said. What the construction is: [directions.md](directions.md). The"
    )
    print("values are the same everywhere, so this report is too.\n")
    gaussian = values(1, "gaussian")
    distance, p = kolmogorov_smirnov(gaussian)
    print("## Gaussian\n")
    print(table(["moment", "expected", "found", "standard errors off"], moments(gaussian, "gaussian")) + "\n")
    print(table(["beyond", "expected", "found", "standard errors off"], tails(gaussian)) + "\n")
    print(f"Kolmogorov-Smirnov distance to the normal distribution {distance:.2e}, p = {p:.2f}. Largest value ")
    print(f"{np.abs(gaussian).max():.3f}; the largest possible one is 6.34.\n")
    for name in ("gaussian", "rademacher"):
        if name == "rademacher":
            print("## Rademacher\n")
            print(table(["moment", "expected", "found", "standard errors off"], moments(values(1, name), name)) + "\n")
        print(table(["correlation of", "times sqrt(n)"], correlations(name)) + "\n")


if __name__ == "__main__":
    main()
