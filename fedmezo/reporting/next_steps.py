"""What a user may do next with a run: commands to paste into a shell."""

from pathlib import Path

from fedmezo.core.command_line import command


def next_steps(folder: Path, outcome: str, rounds: int) -> list[tuple[str, str]]:
    """Return (what, command or path) for a run that ended with ``outcome`` after so many rounds.

    Examples:
        >>> [name for name, _ in next_steps(Path("runs/my run"), "stopped early", 3)]
        ['run', 'picture', 'report', 'try it']
    """
    rows = [("run", str(folder)), ("picture", str(folder / "loss.png"))]
    if outcome in ("completed", "stopped early"):
        rows += [("report", report_command(folder)), ("try it", generate_command(folder))]
    if outcome == "completed":
        rows.append(("more rounds", f"{resume_command(folder)} federate.total_round_num {2 * rounds}"))
    return rows


def resume_command(folder: Path) -> str:
    """Return the command that goes on with a run."""
    return command("resume", str(folder))


def generate_command(folder: Path) -> str:
    """Return the command that lets a user talk to the tuned model."""
    return command("generate", str(folder))


def report_command(*folders: Path) -> str:
    """Return the command that writes the report of some runs."""
    return command("report", *map(str, folders))
