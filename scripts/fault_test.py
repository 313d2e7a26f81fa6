"""Kill parts of a federation, have clients fail, and check what becomes of the run.

python -m scripts.fault_test [--only NAME ...] [--keep FOLDER]

Each fault hits a federation of its own on this machine's loopback: a SuperLink with a database, three nodes and a
server, each a process, with a tiny model. Clients sleep 0.6 s in every round, so that something can be hit in the
middle of it (a client notes the round that it begins: tests/federation/engines/faulty.py). A fault passes if

- the run ends with exit code 0, where said after ``--resume``, and no process has printed a traceback;
- what its ledger says of the fault is as expected: who was left out, in which rounds, and why;
- ``python -m fedmezo.replay RUN --verify`` ends with 0;
- a run with ``engine.type local``, where ``federate.participation`` is this run and nothing fails, ends with the same
  adapters, byte for byte.

Seconds lost: from the end of the first round to that of the last, less as many median rounds. Exit code 0: all pass.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import yaml

from scripts.faults.catalogue import FAULTS, SECURE, Fault
from scripts.faults.scene import CLIENTS, CONFIGURATION, DELAY, PATIENCE, Scene
from scripts.make_certificates import main as make_certificates
from tests.federation.engines.loopback import Loopback

TRACEBACK = "Traceback (most recent call last)"


def staged(folder: Path, fault: Fault, secure: bool = False) -> Scene:
    """Have a fault happen to a federation in a folder, and check what became of its run.

    Raises:
        AssertionError: it is not as it should be.
        subprocess.TimeoutExpired: something goes on for too long.
    """
    folder.mkdir(parents=True)
    cfg = folder / "run.yaml"
    cfg.write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
    if secure:
        make_certificates([str(folder / "keys"), "--nodes", str(CLIENTS)])
    faults = {"FEDMEZO_FAULTS": str(folder / "faults"), "FEDMEZO_FAULTS_DELAY": str(DELAY)}
    with Loopback(folder, cfg, folder / "keys" if secure else None, variables=faults) as deployment:
        scene = Scene(deployment)
        fault(scene)
        for log in folder.glob("*.log"):
            assert TRACEBACK not in log.read_text(errors="replace"), f"a traceback in {log.name}"
    judge(scene.run, folder / "local")
    return scene


def judge(run: Path, folder: Path) -> None:
    """Verify a run, and repeat it in one process; the same adapters must come out.

    Args:
        run: its folder.
        folder: for the repetition.

    Raises:
        AssertionError: they do not.
    """
    python = [sys.executable, "-m"]
    # all that the run was given, but for how its clients are executed
    repeat = ["--cfg", str(run / "config.yaml"), "engine.type", "local", "engine.superlink", ""]
    repeat += ["engine.root_certificates", "", "engine.secret", "", "federate.participation", str(run)]
    commands = {
        "replay --verify": [*python, "fedmezo.replay", str(run), "--verify"],
        "the local run": [*python, "fedmezo.main", *repeat, "outdir", str(folder)],
    }
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = {
        name: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        for name, command in commands.items()
    }
    for name, process in started.items():
        said = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0, f"{name}: exit code {process.returncode}\n{said[-2000:]}"
    for name in ("adapter", "adapter_best"):
        ours, theirs = (path / name / "adapter_model.safetensors" for path in (run, folder / "run"))
        assert ours.read_bytes() == theirs.read_bytes(), f"{name} is not that of the local run"


def tried(name: str, folder: Path) -> tuple[bool, list[str]]:
    """Return whether a fault passes, and its row of the table."""
    print(f"{name}: {(FAULTS[name].__doc__ or '').strip()}", flush=True)
    started = time.monotonic()
    try:
        scene = staged(folder, FAULTS[name], name in SECURE)
    except Exception as error:  # noqa: BLE001 - the other faults are of interest nevertheless
        print(f"    FAILED after {time.monotonic() - started:.0f} s, see {folder}: {error}", flush=True)
        if not isinstance(error, AssertionError | subprocess.TimeoutExpired):
            traceback.print_exc()
        return False, [name, "", "", "", "FAILED"]
    row = [name, str(len(scene.rounds())), scene.summary(), f"{scene.lost():.1f}", "passed"]
    print(f"    {row[1]} rounds; left out: {row[2]}; {row[3]} s lost; {time.monotonic() - started:.0f} s in all")
    for note in scene.notes:
        print(f"    {note}")
    sys.stdout.flush()
    return True, row


def main() -> int:
    """Stage all faults, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="NAME", help=f"of {[*FAULTS]}"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave everything in a new folder")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="fedmezo-faults-"))
    found = {name: tried(name, folder / name) for name in options.only}
    print("\n| fault | rounds | left out | seconds lost | |\n|---|---|---|---|---|")
    for _, row in found.values():
        print(f"| {' | '.join(row)} |")
    if not all(passed for passed, _ in found.values()):
        return 1
    if options.keep is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
