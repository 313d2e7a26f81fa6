"""Resolve every extra together and print ``constraints.txt``.

python scripts/lock_constraints.py > constraints.txt

Run in an environment with a recent pip. The pins below are those under which all extras resolve together: Flower
holds rich, protobuf, typer and packaging back, and newer ones of these leave pip without an answer. triton is that of
torch's builds for CUDA.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PINS = ("torch==2.13.0", "triton==3.7.1", "rich==14.3.4", "protobuf==6.33.6", "typer==0.20.1", "packaging==25.0")
EXTRAS = "llm,test,flower,flower-sim,eval,metrics,sweep,wandb,tensorboard,modelscope,screens,docs"
ALSO = ("setuptools", "wheel")


def resolve(folder: Path) -> list[tuple[str, str]]:
    """Return (name, version) of every package that an installation with all extras would have."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    project = str(Path(__file__).parents[1])
    subprocess.run([*command, "--report", str(report), *PINS, *ALSO, f"{project}[{EXTRAS}]"], check=True)
    found = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    # a local version such as 2.13.0+cpu is one build of the release; any build will do
    rows = ((row["name"].lower().replace("_", "-"), row["version"].partition("+")[0]) for row in found)
    return sorted(row for row in rows if row[0] != "fedmezo")


def main() -> None:
    """Print the constraints."""
    print(f"# One resolution over every extra ({EXTRAS.replace(',', ', ')}).")
    print("# Made by: python scripts/lock_constraints.py > constraints.txt")
    with tempfile.TemporaryDirectory() as folder:
        for name, version in resolve(Path(folder)):
            print(f"{name}=={version}")


if __name__ == "__main__":
    main()
