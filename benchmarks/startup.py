"""How soon the programs answer: ``fedmezo --help``, the help of each command, a configuration with five mistakes.

Each is timed as a whole process; none imports torch (tests/test_front_door.py). Run: python -m benchmarks.startup
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fedmezo.__main__ import PROGRAMS

REPEATS = 10
FIVE_MISTAKES = """\
federate: {client_nun: 3, total_round_num: 0, sample_client_num: 9}
train: {optimizer: {lr: fast}}
data: {type: gsm8k}
"""


def seconds(arguments: Sequence[str], exit_code: int) -> float:
    """Return the wall time of one process.

    Raises:
        SystemExit: it did not end with ``exit_code``.
    """
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - start
    if done.returncode != exit_code:
        raise SystemExit(f"exit code {done.returncode} instead of {exit_code}:\n{done.stderr}")
    return elapsed


def median(arguments: Sequence[str], exit_code: int = 0) -> float:
    """Return the median time of ``REPEATS`` processes, in seconds."""
    return statistics.median(seconds(arguments, exit_code) for _ in range(REPEATS))


def main() -> None:
    """Print one row of a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mistakes.yaml"
        path.write_text(FIVE_MISTAKES, encoding="utf-8")
        command = ("-m", "fedmezo")
        rows = {
            "Python alone": median(["-c", ""]),
            "`fedmezo --help`": median([*command, "--help"]),
            "the slowest help of a command": max(median([*command, name, "--help"]) for name in PROGRAMS),
            "five mistakes": median([*command, "run", str(path)], 2),
            "`import fedmezo`": median(["-c", "import fedmezo"]),
            "`fedmezo.main --help`": median(["-m", "fedmezo.main", "--help"]),
        }
    cells = " | ".join(f"{name} {elapsed:.2f} s" for name, elapsed in rows.items())
    print(f"| start-up, median of {REPEATS} | {cells} |")


if __name__ == "__main__":
    main()
