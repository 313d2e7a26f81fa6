"""Run every shipped configuration with the override of its own header, and print a table.

python scripts/try_configs.py --data FOLDER [--rounds 2] [--only NAME] [key value ...]

FOLDER holds the datasets, under the names of ``FILES``; a configuration whose dataset is not there is not run. Further
``key value`` pairs go to every run, such as ``engine.threads 1``.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
# by what a configuration's name begins with: a file, the field of it that a splitter needs, and how to name the two
FILES: dict[str, list[tuple[str, str, list[str]]]] = {
    "alpaca": [("alpaca_data.json", "", []), ("alpaca_999.json", "", ["data.file", "alpaca_999.json"])],
    "mezo_testcase": [("alpaca_data.json", "", []), ("alpaca_999.json", "", ["data.file", "alpaca_999.json"])],
    "gsm8k": [("gsm8k_train.jsonl", "", [])],
    "dolly": [
        ("databricks-dolly-15k.jsonl", "category", []),
        ("dolly_sample.jsonl", "category", ["data.file", "dolly_sample.jsonl"]),
    ],
    "code": [
        ("rosetta_alpaca.json", "", []),
        (
            "code_alpaca_2k_language.jsonl",
            "language",
            ["data.file", "code_alpaca_2k_language.jsonl", "data.fields.category", "language"],
        ),
    ],
}


class Row(NamedTuple):
    """What became of a configuration."""

    config: str
    exit_code: str = "-"
    losses: str = "-"
    seconds: str = "-"
    remark: str = ""


def main() -> int:
    """Try the configurations and return 1 if one of them failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True, help="the folder of the datasets")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each run")
    parser.add_argument("--only", metavar="NAME", help="one configuration, by the name of its file")
    parser.add_argument("overrides", metavar="key value", nargs="*", help="for every run")
    options = parser.parse_intermixed_args()
    paths = [path for path in sorted((REPOSITORY / "configs").glob("*.yaml")) if options.only in (None, path.stem)]
    more = ["federate.total_round_num", str(options.rounds), *options.overrides]
    print("| configuration | exit code | loss before -> after | seconds | |\n|---|---|---|---|---|")
    failed = False
    for path in paths:
        row = attempt(path, options.data.absolute(), more)
        print(f"| {' | '.join(row)} |", flush=True)
        failed |= row.exit_code not in ("0", "-")
    return int(failed)


def attempt(path: Path, data: Path, more: list[str]) -> Row:
    """Run a configuration, if its data is there."""
    kind = next((kind for kind in FILES if path.stem.startswith(kind)), None)
    found, reason = choose(kind, data)
    if reason:
        return Row(path.stem, remark=f"not run: {reason}")
    words = [str(data) if word == "FOLDER" else word for word in override(path)]
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        started = time.monotonic()
        command = [*words, *found, *more, "outdir", scratch, "expname", "run", "verbose", "0"]
        done = subprocess.run(
            [sys.executable, "-m", "fedmezo.main", *command],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = f"{time.monotonic() - started:.0f}"
        losses = ", ".join(read_losses(run)) if done.returncode == 0 else "-"
    return Row(path.stem, str(done.returncode), losses, seconds, " ".join(done.stderr.split())[:200])


def choose(kind: str | None, data: Path) -> tuple[list[str], str]:
    """Return how to name the data that is there, or why there is none."""
    if kind is None:
        return [], ""  # it needs none
    reasons = []
    for name, field, words in FILES[kind]:
        path = data / name
        if not path.is_file():
            reasons.append(f"there is no {name}")
        elif field and f'"{field}"' not in path.read_text(encoding="utf-8")[:100_000]:
            reasons.append(f"{name} has no field {field}, which the splitter needs")
        else:
            return words, ""
    return [], "; ".join(reasons)


def override(path: Path) -> list[str]:
    """Return the words of the last command of a configuration's header: the one for a small machine, where there is."""
    commands = re.findall(r"^# +python -m fedmezo\.main (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return shlex.split(commands[-1])


def read_losses(run: Path) -> Iterator[str]:
    """Yield the losses of a run before and after training, by split."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    for split, change in summary["losses"].items():
        yield f"{split} {change['before']:.4f} -> {change['after']:.4f}"


if __name__ == "__main__":
    sys.exit(main())
