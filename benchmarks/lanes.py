"""Several lanes in one forward, against one after the other, interleaved: milliseconds a lane.

python -m benchmarks.lanes [--data FOLDER] [--model NAME] [--lanes N ...] [--trainable NAME] [--dtype NAME]
"""

import argparse
import sys

import numpy as np
import torch

from benchmarks.steps import TRAINABLE, Case, batches
from benchmarks.zo_step import timed
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring import LoraBatchedScorer


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="", help="the folder of GSM8K")
    parser.add_argument("--model", default="SmolLM2-135M-Instruct@package_llm")
    parser.add_argument("--lanes", nargs="+", type=int, default=[1, 2, 6, 16])
    parser.add_argument("--trainable", choices=[name for name, rank in TRAINABLE.items() if rank], default="lora8")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    case = Case(options.model, options.trainable, "gaussian", options.dtype, 1, options.data)
    problem = case.task()
    scorer, most = problem.scorer, sys.maxsize
    assert isinstance(scorer, LoraBatchedScorer)
    print(f"{options.model}, {options.trainable}, {options.dtype}, batch 1, {torch.get_num_threads()} threads\n")
    print("| lanes | ms a lane, together | ms a lane, one by one | ratio |\n|---|---|---|---|")
    for count in options.lanes:
        lanes, times = [Lane(key, 1e-3) for key in range(count)], np.zeros((options.repeats, 2))
        source = batches(problem, 1)
        for row in range(-1, options.repeats):
            batch = next(source)
            for column, tokens in enumerate((most, 1)):
                scorer.most_tokens = tokens
                spent = timed(lambda batch, _: scorer.losses(problem.start, lanes, batch), batch, 0)  # noqa: B023
                if row >= 0:
                    times[row, column] = 1e3 * spent / count
        together, alone = np.median(times, axis=0)
        print(f"| {count} | {together:.0f} | {alone:.0f} | {np.median(times[:, 0] / times[:, 1]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
