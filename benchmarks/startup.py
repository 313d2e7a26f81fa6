"""How soon the runner answers: ``--help``, and a configuration with five mistakes.

Each is timed as a whole process. Run: python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 10
RUNNER = [sys.executable, "-m", "fedmezo.main"]
FIVE_MISTAKES = """\
federate: {client_nun: 3, total_round_num: 0, sample_client_num: 9}
train: {optimizer: {lr: fast}}
data: {type: gsm8k}
"""


def seconds(arguments: list[str], exit_code: int) -> float:
    """Return the wall time of one process.

    Raises:
        SystemExit: it did not end with ``exit_code``.
    """
    start = time.perf_counter()
    done = subprocess.run([*RUNNER, *arguments], capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - start
    if done.returncode != exit_code:
        raise SystemExit(f"exit code {done.returncode} instead of {exit_code}:\n{done.stderr}")
    return elapsed


def median(arguments: list[str], exit_code: int) -> float:
    """Return the median time of ``REPEATS`` processes, in seconds."""
    return statistics.median(seconds(arguments, exit_code) for _ in range(REPEATS))


def main() -> None:
    """Print one row of a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mistakes.yaml"
        path.write_text(FIVE_MISTAKES, encoding="utf-8")
        rows = {"`--help`": median(["--help"], 0), "five mistakes": median(["--cfg", str(path)], 2)}
    cells = " | ".join(f"{name} {elapsed:.2f} s" for name, elapsed in rows.items())
    print(f"| start-up, median of {REPEATS} | {cells} |")


if __name__ == "__main__":
    main()
