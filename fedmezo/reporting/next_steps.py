"""What a user may do next with a run: commands to paste into a shell."""

import shlex
from pathlib import Path


def next_steps(folder: Path, outcome: str, rounds: int) -> list[tuple[str, str]]:
    """Return (what, command or path) for a run that ended with ``outcome`` after so many rounds.

    Examples:
        >>> next_steps(Path("runs/my run"), "stopped early", 3)[-1]
        ('try it', "python -m fedmezo.generate 'runs/my run'")
    """
    rows = [("run", str(folder)), ("picture", str(folder / "loss.png"))]
    if outcome in ("completed", "stopped early"):
        rows += [("report", report_command(folder)), ("try it", generate_command(folder))]
    if outcome == "completed":
        rows.append(("more rounds", f"{resume_command(folder)} federate.total_round_num {2 * rounds}"))
    return rows


def resume_command(folder: Path) -> str:
    """Return the command that goes on with a run."""
    return f"python -m fedmezo.main --resume {shlex.quote(str(folder))}"


def generate_command(folder: Path) -> str:
    """Return the command that lets a user talk to the tuned model."""
    return f"python -m fedmezo.generate {shlex.quote(str(folder))}"


def report_command(*folders: Path) -> str:
    """Return the command that writes the report of some runs."""
    return f"python -m fedmezo.report {shlex.join(map(str, folders))}"
