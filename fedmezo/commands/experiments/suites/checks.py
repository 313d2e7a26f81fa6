"""What is wrong with the configurations of many runs, told once and before any of them begins."""

from collections.abc import Collection, Iterable, Sequence

from fedmezo import config
from fedmezo.commands.experiments.suites.jobs import Job
from fedmezo.config.overrides import read_overrides
from fedmezo.config.tree import leaves
from fedmezo.core.documents.nodes import COMMAND_LINE
from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.errors import ConfigurationError

NAMING = ("seed", "expname", "outdir")  # what tells runs apart
WHERE = {*config.RESUMABLE, "expname", "outdir"} - {
    *("federate.total_round_num", "early_stop.patience", "federate.participation")
}  # what may differ between runs that are compared: where things are, and how fast


def check_jobs(jobs: Iterable[Job], own: Collection[str], overrides: Sequence[str]) -> None:
    """Make sure that all runs can begin or go on, as what their tables say they are.

    Args:
        jobs: the runs.
        own: keys that differ between them.
        overrides: of all of them.

    Raises:
        ConfigurationError: an override is of a key that the runs differ in, a configuration is wrong, or a run that is
            there already was made with another.
    """
    problems = Problems()
    for key in read_overrides(overrides, Problems()):
        if key in (*own, *NAMING):
            message = "the runs differ in it, and their tables would be wrong: say it in the YAML file"
            problems.append(Problem(COMMAND_LINE, key, "", message))
    problems.raise_if_any()
    messages: dict[str, None] = {}
    found: dict[tuple[str, str, str], Problem] = {}
    for job in jobs:
        try:
            wanted = leaves(config.load(job.arm.cfg, job.beginning(overrides)))
            there = leaves(config.load(job.config, recorded=True)) if job.config.exists() else wanted
        except ConfigurationError as error:
            messages[str(error)] = None
            continue
        for key in wanted.keys() - WHERE:
            if wanted[key] != there.get(key):
                message = (
                    f"this run was made so, and now it is {wanted[key]}: say it as before, or choose another --out"
                )
                problem = Problem(str(job.config), key, str(there.get(key)), message)
                found.setdefault((key, str(there.get(key)), str(wanted[key])), problem)
    if messages:
        raise ConfigurationError("\n".join(messages))
    Problems(found.values()).raise_if_any()
