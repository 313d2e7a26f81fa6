"""Peak memory over that of inference: cases of ``benchmarks.memory``, as the paper's Table 1 has them."""

from benchmarks.gpu.part import Figures, Setting
from benchmarks.gpu.steps import MODELS, TINY
from benchmarks.memory import run_case
from benchmarks.steps import WORD_PROBLEMS

GROUPS = {
    "LoRA r=8": ("inference", "mezotrainer, 3 clients", "llmtrainer, 3 clients"),
    "LoRA r=8, bf16": ("inference", "mezotrainer, 3 clients"),
    "all parameters, bf16": ("inference", "mezotrainer, 3 clients"),
    "all parameters": ("inference", "mezotrainer, 3 clients", "llmtrainer, 3 clients"),
}


def cases(quick: bool) -> dict[str, tuple[str, str]]:
    """Return model and case of each row, by name."""
    models = {"tiny LLaMA": TINY} if quick else MODELS
    return {
        f"{short}, {group}: {what}": (model, f"{group}: {what}")
        for short, model in models.items()
        for group, whats in GROUPS.items()
        for what in whats
    }


def plan(quick: bool) -> list[str]:
    """Return the names of the rows."""
    return list(cases(quick))


def measure(name: str, setting: Setting) -> Figures:
    """Return the peaks in MiB."""
    model, case = cases(setting.quick)[name]
    return dict(run_case(WORD_PROBLEMS, ["model.type", model, "zo.mu", "1e-3"], case))
