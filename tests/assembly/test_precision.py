import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fedmezo import config
from fedmezo.assembly import precision, precision_warnings
from fedmezo.assembly.model import assemble_model
from fedmezo.assembly.precision import MEASURED, Measurement, chosen_device, gpu_is_usable, nearest

Write = Callable[..., Path]


DORA = ("llm.adapter.args", "[{adapter_method: lora, r: 4, use_dora: true}]")  # not scored in lanes


def warned(tiny_yaml: Write, *overrides: str) -> str:
    cfg = config.load(tiny_yaml(), ["use_gpu", "False", "train.is_enable_half", "True", *DORA, *overrides])
    return "\n".join(precision_warnings(cfg, assemble_model(cfg).scorer))


def test_a_gpu_that_is_there_and_cannot_be_used_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def too_old() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (11040).\nUpdate", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", too_old)
    gpu_is_usable.cache_clear()
    try:
        assert chosen_device(False, 0).type == "cpu" and not caplog.records
        assert [chosen_device(True, 0).type for _ in range(2)] == ["cpu", "cpu"]
    finally:
        gpu_is_usable.cache_clear()
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("use_gpu = True, but the CPU is used: ") and told.endswith("is too old (11040).")


def test_pairs_that_share_their_rounding_need_no_warning(tiny_yaml: Write) -> None:
    lora = ("llm.adapter.args", "[{adapter_method: lora, r: 4}]")
    assert warned(tiny_yaml, *lora) == ""
    assert warned(tiny_yaml, *lora, "zo.estimator", "one-sided").startswith("warning: ")


def test_curvature_in_half_precision_is_warned_of(tiny_yaml: Write) -> None:
    lora = ("llm.adapter.args", "[{adapter_method: lora, r: 4}]")
    for words in (["train.optimizer.lr", "auto"], ["zo.normalise", "curvature"]):
        assert warned(tiny_yaml, *lora, *words).startswith("warning: half precision drowns the curvature")
    assert warned(tiny_yaml, *lora, "zo.normalise", "ema") == ""


@pytest.mark.parametrize(("mu", "figure"), [("1e-3", 0.5), ("5e-3", 0.5), ("7e-3", 0.5), ("9e-3", 0.8)])
def test_the_figure_is_of_the_nearest_measurement(
    tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch, mu: str, figure: float
) -> None:
    rows = (Measurement("shared", "bfloat16", "cpu", 5e-3, 0.5), Measurement("shared", "bfloat16", "cpu", 1e-2, 0.8))
    monkeypatch.setattr(precision, "MEASURED", rows)
    shown = warned(tiny_yaml, "zo.mu", mu)
    assert shown.startswith("warning: half precision adds rounding noise to projected gradients; bfloat16 on cpu")
    assert f"fidelity of {figure} at zo.mu" in shown and "--check --fidelity 100" in shown


def test_there_is_no_warning_where_there_is_no_cause(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert warned(tiny_yaml, "train.is_enable_half", "False") == ""
    assert warned(tiny_yaml, "trainer.type", "llmtrainer") == ""
    monkeypatch.setattr(precision, "MEASURED", (Measurement("shared", "bfloat16", "cpu", 1e-2, 0.95),))
    assert warned(tiny_yaml, "zo.mu", "1e-2") == ""


def test_what_was_not_measured_is_said(tiny_yaml: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "MEASURED", (Measurement("shared", "float16", "cuda", 1e-2, 0.95),))
    assert "bfloat16 on cpu: not measured" in warned(tiny_yaml)


def test_measurements_are_fidelities() -> None:
    assert all(-1 <= row.fidelity <= 1 and nearest(*row[:-1]) == row for row in MEASURED)
