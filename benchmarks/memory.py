"""Peak memory of training over inference, each in its own process.

python -m benchmarks.memory [--cfg FILE] [--json FILE]

Inference is the evaluation of the model with its adapter on batches of the training size. ``above`` is the peak beyond
what an interpreter with the libraries and the model's weights takes. Clients are compared at 3 and at 300.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

CASES = {
    "inference": [],
    "mezotrainer, 3 clients": ["trainer.type", "mezotrainer"],
    "mezotrainer, 300 clients": ["trainer.type", "mezotrainer", "federate.client_num", "300"],
    "llmtrainer, 3 clients": ["trainer.type", "llmtrainer"],
}
COMMON = ["federate.sample_client_num", "3", "train.local_update_steps", "3"]


def measure(cfg: Path, case: str) -> dict[str, float | str]:
    """Return peak MiB of one case, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--cfg", str(cfg), "--case", case]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"case": case, **json.loads(printed.splitlines()[-1])}


def run_case(cfg_path: Path, case: str) -> dict[str, float]:
    """Run one case here: a round of three clients with three steps each, or scoring the same batches."""
    from fedmezo import config
    from fedmezo.assembly import assemble_federation, assemble_problem
    from fedmezo.tracking.memory import peak_memory_mib

    cfg = config.load(cfg_path, [*COMMON, *CASES[case]])
    problem = assemble_problem(cfg)
    loaded = peak_memory_mib()
    federation = assemble_federation(cfg, problem)
    plan = federation.server.plan(0)
    if case == "inference":
        for task in plan.tasks:
            for step in range(cfg.train.local_update_steps):
                problem.scorer.loss(problem.start, federation.local_data.batch(task.client, step))
    else:
        record = federation.server.aggregate(plan, federation.engine.run(plan, federation.server.parameters))
        federation.server.apply(record)
    return {"loaded": loaded, "peak": peak_memory_mib()}


def table(rows: list[dict[str, float | str]]) -> str:
    """Return the rows as Markdown, with ratios over inference."""
    base = rows[0]
    lines = ["| case | peak MiB | over inference | above interpreter and weights, MiB | over inference |"]
    lines.append("|---|---|---|---|---|")
    for row in rows:
        above, base_above = (float(r["peak"]) - float(r["loaded"]) for r in (row, base))
        total = float(row["peak"]) / float(base["peak"])
        lines.append(f"| {row['case']} | {row['peak']:.0f} | {total:.2f} | {above:.0f} | {above / base_above:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure every case and print a table; with --case, measure one here."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cfg", type=Path, default=Path("configs/quickstart.yaml"))
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(run_case(options.cfg, options.case)))
        return
    rows = [measure(options.cfg, case) for case in CASES]
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
