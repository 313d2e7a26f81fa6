"""Ceilings on what a training step asks of a GPU, so that launches and waits do not creep back."""

import importlib

import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.standin]
LAYERS = 2
CEILINGS = {  # launches and waits of a step, as counted when they were last lowered
    "LoRA, fp32": (155, 2),
    "LoRA, half": (213, 2),
    "all parameters, fp32": (309, 2),
    "all parameters, half": (350, 2),
    "LoRA, large vocabulary, eight lanes": (882, 2),
}


@pytest.mark.parametrize("case", CEILINGS)
def test_a_step_asks_for_no_more_than_it_did(case: str) -> None:
    benchmark = importlib.import_module("benchmarks.launches")  # which needs the stand-in
    step = benchmark.step_of(benchmark.CASES[case], LAYERS)
    launches, waits = CEILINGS[case]
    assert step.launches <= launches, step.by_operator
    assert step.waits <= waits, step.by_wait
