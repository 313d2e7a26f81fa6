"""What it costs to read back what a run has saved: its seconds, beside those of the demo.

The check does not depend on how much was trained, so that it is timed at the initial point; the demo's
seconds are those that ``--check`` foretells. Run: python -m benchmarks.saved_check [-- key value ...]
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fedmezo import config
from fedmezo.assembly import assemble_federation, assemble_learning_task
from fedmezo.commands.cost_estimate import estimate
from fedmezo.commands.saved_check import few_examples, trained
from fedmezo.core.log import on_screen
from fedmezo.models.adapters import save_trained

DEMO = Path(__file__).parents[1] / "configs" / "word_problems.yaml"
REPEATS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row of a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overrides", metavar="-- key value", nargs="*", help="as on the runner's command line")
    cfg = config.load(DEMO, parser.parse_args(arguments).overrides)
    task = assemble_learning_task(cfg)
    demo = estimate(cfg, task, assemble_federation(cfg, task)).seconds
    seconds = []
    with tempfile.TemporaryDirectory() as folder, on_screen(1):
        save_trained(task.model, Path(folder), task.tokenizer)
        for _ in range(REPEATS):
            started = time.perf_counter()
            expected = trained(task, task.start, few_examples(cfg, task, task.data))
            expected.check(Path(folder), whole=not cfg.llm.adapter.use)
            seconds.append(time.perf_counter() - started)
    check = max(seconds)
    print(f"| check of what was saved, longest of {REPEATS} | {check:.2f} s | demo {demo:.0f} s | {check / demo:.2%} |")


if __name__ == "__main__":
    main()
