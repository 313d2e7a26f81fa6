"""Bytes on the wire per client and round, counted on encoded messages: scalars beside weights.

python -m benchmarks.traffic

All clients take part in every round: 3 of them, 30 steps, one query. The last row is the paper's run.
"""

from fedmezo.core.text import human
from fedmezo.federation.communication import CLIENTS, PARAMETERS, ROUNDS, STEPS, paper_bytes, round_traffic

SIZES = {
    "SmolLM2-135M, LoRA r=8": 460_800,
    "SmolLM2-135M, LoRA r=128": 7_372_800,
    "SmolLM2-135M, all parameters": 134_515_008,
    "LoRA of the paper's 3B model": PARAMETERS,
}


def main() -> None:
    """Print a Markdown table."""
    print("| trained | parameters | scalars up | scalars down | weights up | weights down |\n|---|---|---|---|---|---|")
    for name, size in SIZES.items():
        scalars, weights = (round_traffic(size, [STEPS] * CLIENTS, 1, which) for which in (True, False))
        sent = f"{scalars.up} B | {scalars.down} B | {human(weights.up)} | {human(weights.down)}"
        print(f"| {name} | {size:,} | {sent} |")
    print(
        f"\nThe paper's run, {ROUNDS} rounds of {CLIENTS} clients, both ways: {human(paper_bytes(scalars=True))} as "
        f"scalars, {human(paper_bytes(scalars=False))} as weights."
    )


if __name__ == "__main__":
    main()
