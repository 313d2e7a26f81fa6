"""Steps beside two plain forwards: the rows of ``benchmarks.zo_step``."""

import argparse
from itertools import product

from benchmarks.gpu.part import Figures, Setting
from benchmarks.steps import DTYPES, Case
from benchmarks.zo_step import rows_of

MODELS = {"SmolLM2": "SmolLM2-135M-Instruct@package_llm", "LLaMA 3B": "llama-3b@random_llm"}
TINY = "tiny-llama@random_llm"
TRAINABLE = ("lora8", "all", "lora128")  # what most will use comes first


def cases(quick: bool) -> dict[str, Case]:
    """Return what is measured, by name."""
    models = {"tiny LLaMA": TINY} if quick else MODELS
    sizes = (1,) if quick else (1, 8)
    return {
        f"{model}, {trainable}, {dtype}, batch {batch}": Case(models[model], trainable, "gaussian", dtype, batch)
        for trainable, batch, dtype, model in product(TRAINABLE, sizes, DTYPES, models)
    }


def plan(quick: bool) -> list[str]:
    """Return the names of the rows."""
    return list(cases(quick))


def measure(name: str, setting: Setting) -> Figures:
    """Return the figures of the published step and of ours, by implementation."""
    options = argparse.Namespace(mu=1e-3, pairs=0, compiled=False, blocks=1, memory=False)
    options.repeats = 2 if setting.quick else 7
    return {row["implementation"]: row for row in rows_of(cases(setting.quick)[name], options)}
