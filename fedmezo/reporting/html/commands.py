"""Commands that rebuild a run, or go on with it."""

from collections.abc import Sequence

from fedmezo.core.command_line import command
from fedmezo.reporting.html.run import Run
from fedmezo.reporting.next_steps import generate_command, report_command, resume_command

Command = tuple[str, str]


def commands(run: Run) -> list[Command]:
    """Return (what it does, command) for a run."""
    replay = command("replay", str(run.folder))
    rows = [
        ("rebuild the model from the ledger and compare every hash", f"{replay} --verify"),
        ("write the adapter of the best round", f"{replay} --round best --export adapter"),
        ("go on with it", resume_command(run.folder)),
        ("talk to it", generate_command(run.folder)),
        ("the same run again", command("run", str(run.folder / "config.yaml"), "expname", "NAME")),
    ]
    if not run.backprop:
        rows.append(("the same with backpropagation, to compare", f"{rows[-1][1]} trainer.type llmtrainer"))
    return rows


def own_command(runs: Sequence[Run]) -> Command:
    """Return (what it does, command) for the report itself."""
    return "this report", report_command(*(run.folder for run in runs))
