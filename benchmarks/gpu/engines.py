"""Seconds of a round with one GPU: in one process, and with workers that have all of it or a part."""

from benchmarks.engines import Case, measured
from benchmarks.gpu.part import Figures, Setting

CASES = {
    case.name: case
    for case in (
        Case("local", "local"),
        Case("flower_simulation, 1 worker", "flower_simulation", 1, gpus=1.0),
        Case("flower_simulation, 2 workers with half of the GPU each", "flower_simulation", 2, gpus=0.5),
    )
}
KEPT = ("rounds", "seconds", "compute", "overhead", "start_up", "first_round")


def plan(quick: bool) -> list[str]:
    """Return the names of the rows."""
    return list(CASES)


def measure(name: str, setting: Setting) -> Figures:
    """Return the figures of a run; it has processes of its own, which have no stand-in."""
    if setting.stand_in:
        return {"failed": "not on the stand-in, which processes of other programs do not have"}
    found = measured(CASES[name], "tiny" if setting.quick else "smollm2", 4 if setting.quick else 8, None)
    return {key: found[key] for key in KEPT}
