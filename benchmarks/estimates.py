"""Estimates of ``--check`` against what the run then took, each in a process of its own.

python -m benchmarks.estimates [--cfg FILE]

Time is that of rounds and evaluations, as the final table gives it without the evaluation before training.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = {
    "mezotrainer": ["federate.total_round_num", "2"],
    "mezotrainer, batch 4, r 64": [
        *("federate.total_round_num", "1", "dataloader.batch_size", "4"),
        *("llm.adapter.args", "[{adapter_method: lora, r: 64}]"),
    ],
    "llmtrainer": ["federate.total_round_num", "2", "trainer.type", "llmtrainer"],
    "all parameters": [
        *("federate.total_round_num", "1", "train.local_update_steps", "3", "llm.adapter.use", "False"),
    ],
}
COMMON = ["eval.max_examples", "40"]


def estimated(cfg: Path, overrides: list[str]) -> dict[str, float]:
    """Return what ``--check`` expects."""
    code = (
        "import json, sys; from pathlib import Path; from fedmezo import config;"
        "from fedmezo.assembly import assemble_federation, assemble_learning_task;"
        "from fedmezo.commands.cost_estimate import estimate; cfg = config.load(Path(sys.argv[1]), sys.argv[2:]);"
        "task = assemble_learning_task(cfg); cost = estimate(cfg, task, assemble_federation(cfg, task));"
        "print(json.dumps({'seconds': cost.seconds, 'memory': cost.memory_mib}))"
    )
    command = [sys.executable, "-c", code, str(cfg), *overrides]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(printed.splitlines()[-1]))


def measured(cfg: Path, overrides: list[str]) -> dict[str, float]:
    """Return what the run took."""
    with tempfile.TemporaryDirectory() as outdir:
        command = [sys.executable, "-m", "fedmezo.main", "--cfg", str(cfg), "--quiet", *overrides]
        subprocess.run([*command, "outdir", outdir, "expname", "run"], check=True)
        summary = json.loads((Path(outdir) / "run" / "summary.json").read_text(encoding="utf-8"))
    return {"seconds": summary["seconds"], "memory": summary["peak_memory_mib"]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cfg", type=Path, default=Path("configs/word_problems.yaml"))
    cfg = parser.parse_args().cfg
    print("| case | time estimated, s | taken, s | ratio | memory estimated, MiB | taken, MiB | ratio |")
    print("|---|---|---|---|---|---|---|")
    for case, overrides in CASES.items():
        said, was = estimated(cfg, [*COMMON, *overrides]), measured(cfg, [*COMMON, *overrides])
        cells = [f"{x[key]:.0f}" if x else f"{said[key] / was[key]:.2f}" for key in said for x in (said, was, None)]
        print(f"| {case} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
