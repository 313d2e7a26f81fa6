"""Bytes on the wire per client and round, counted on encoded messages: scalars beside weights.

python -m benchmarks.traffic

All clients take part in every round: 3 of them, 30 steps, one query. The last row is the paper's run.
"""

from fedmezo.core.text import human
from fedmezo.federation.communication import CLIENTS, ITEMSIZE, PARAMETERS, ROUNDS, STEPS, paper_bytes, round_traffic

SIZES = {  # parameters, and the bytes of one
    "SmolLM2-135M, LoRA r=8": (460_800, 4),
    "SmolLM2-135M, LoRA r=128": (7_372_800, 4),
    "SmolLM2-135M, all parameters": (134_515_008, 4),
    "LoRA r=128 of the paper's 3B model, fp16": (PARAMETERS, ITEMSIZE),
}


def main() -> None:
    """Print a Markdown table."""
    print("| trained | parameters | scalars up | scalars down | weights up | weights down |\n|---|---|---|---|---|---|")
    for name, (size, itemsize) in SIZES.items():
        scalars, weights = (round_traffic(size, [STEPS] * CLIENTS, 1, which, itemsize) for which in (True, False))
        sent = f"{scalars.up} B | {scalars.down} B | {human(weights.up)} | {human(weights.down)}"
        print(f"| {name} | {size:,} | {sent} |")
    print(
        f"\nThe paper's run, {ROUNDS} rounds of {CLIENTS} clients, both ways: {human(paper_bytes(scalars=True))} as "
        f"scalars, {human(paper_bytes(scalars=False))} as weights."
    )


if __name__ == "__main__":
    main()
