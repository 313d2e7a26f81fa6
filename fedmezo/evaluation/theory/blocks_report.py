"""What the page says of blocks: a table of them, and what a step in blocks gains beside one along whole directions."""

from fedmezo.core.text import when
from fedmezo.evaluation.theory.comparison import BlockFindings, Compared, Step
from fedmezo.evaluation.theory.markdown import table
from fedmezo.evaluation.theory.measured import Measured

COLUMNS = ("parameters", "‖g_b‖^2", "E ‖grad_b f_batch‖^2", "tr(H_bb)", "gain", "forwards", "gain per forward")
STEPS = ("directions", "forwards", "best rate", "predicted", "measured", "per forward: predicted", "measured")


def section(compared: Compared, rounds_done: int) -> str:
    """Return the section of a point."""
    blocks = [(_name(compared, number), each) for number, each in enumerate(compared.blocks)]
    rows = [_row(name, each) for name, each in (*blocks, ("all", compared.everything))]
    steps = [_step("whole", compared.whole), _step("in blocks", compared.divided)]
    return "\n\n".join(
        [
            f"Blocks, {when(rounds_done)}. Gain: of one direction at its best rate, ‖g_b‖^2 / (2 tr(H_bb)), noise left "
            "out. Forwards: of all layers, heads left out.",
            table([("block: from layer", *COLUMNS), *rows]),
            "Gain of a client's step at its best rate: by the local quadratic model, and of steps that were taken, on "
            "examples that they did not see.",
            table([("step", *STEPS), *steps]),
            f"In blocks over whole directions, at equal forwards: predicted {compared.predicted}, "
            f"measured {compared.measured or '-'}.",
        ]
    )


def _name(compared: Compared, number: int) -> str:
    block = compared.blocks[number]
    return f"{number}: {'below' if block.first < 0 else block.first}{'' if block.used else ', not used'}"


def _row(name: str, of: BlockFindings) -> list[str]:
    found: tuple[Measured, ...] = (of.squared_norm, of.batch_squared_norm, of.trace, of.gain)
    return [name, f"{of.parameters:,}", *map(str, found), f"{of.forwards:.2f}", str(of.per_forward)]


def _step(name: str, step: Step) -> list[str]:
    gains = (step.predicted, step.measured, step.predicted_per_forward, step.measured_per_forward)
    return [
        name,
        str(step.directions),
        f"{step.forwards:.2f}",
        f"{step.rate:.2g}",
        *(str(each or "-") for each in gains),
    ]
