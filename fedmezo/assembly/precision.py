"""Device and dtype of a run, and what a user should know: rounding noise can be larger than a projected gradient."""

import math
import warnings
from functools import cache
from typing import NamedTuple

import torch
from yacs.config import CfgNode

from fedmezo.assembly.arguments import step_rule, zeroth_order
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.log import LOG
from fedmezo.zeroth_order.estimators import is_symmetric
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.scoring import Scorer
from fedmezo.zeroth_order.steps import Round

RECOMMENDED_FIDELITY = 0.9


class Measurement(NamedTuple):
    """The gradient fidelity of a dtype on a device at a perturbation scale."""

    precision: str
    dtype: str
    device: str
    mu: float
    fidelity: float


# an adapter whose two signs are scored one after the other: SmolLM2-135M-Instruct, DoRA r=8 on q and v, 100 pairs
# python -m fedmezo.main --cfg configs/word_problems.yaml --check --fidelity 100 train.is_enable_half True
#     llm.adapter.args '[{adapter_method: lora, r: 8, lora_alpha: 16, use_dora: true}]'
MEASURED = (Measurement("shared", "bfloat16", "cpu", 5e-3, 0.794),)


def chosen_device(use_gpu: bool, index: int) -> torch.device:
    """Return the GPU if one is wanted (an index of -1 means none) and there, else the CPU."""
    if use_gpu and index >= 0 and gpu_is_usable():
        if index >= torch.cuda.device_count():
            raise ConfigurationError(f"device = {index}\n    expected 0 to {torch.cuda.device_count() - 1}")
        return torch.device("cuda", index)
    return torch.device("cpu")


def placed(device_map: str, device: torch.device) -> str:
    """Return where a hub puts a model: as accelerate spreads it, else on the GPU at once; '' is the CPU."""
    return device_map or ("" if device.type == "cpu" else str(device))


@cache
def gpu_is_usable() -> bool:
    """Return whether there is a GPU that torch can use; why one that is there cannot be is told once."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if not usable:
        for each in said:  # of a driver that is too old for this torch, for instance
            LOG.warning(f"use_gpu = True, but the CPU is used: {str(each.message).splitlines()[0]}")
    return usable


def base_dtype(half: bool, device: torch.device) -> torch.dtype:
    """Return the dtype of the frozen weights: float32, or the half precision that the device does well."""
    if not half:
        return torch.float32
    if device.type == "cpu":
        return torch.bfloat16
    with torch.cuda.device(device):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def precision_warnings(cfg: CfgNode, scorer: Scorer) -> list[str]:
    """Return what a user should know about the dtype; nothing where what was measured is good enough."""
    if not cfg.train.is_enable_half or not zeroth_order(cfg):
        return []
    return [*_of_gradients(cfg, scorer), *_of_curvature(cfg)]


def _of_curvature(cfg: CfgNode) -> list[str]:
    """Return a warning where curvature is measured: a point by itself does not round as the pair around it does."""
    rule = step_rule(cfg)
    if not rule(Round(keys=[[1]], mu=1.0, rate=1.0, share=1.0)).lanes(0):
        return []
    return [
        "warning: half precision drowns the curvature along directions in rounding noise, so that steps are too short; "
        "train.is_enable_half False, or a rate (train.optimizer.lr) with zo.normalise none"
    ]


def _of_gradients(cfg: CfgNode, scorer: Scorer) -> list[str]:
    if scorer.shares_rounding and (scorer.in_place or is_symmetric(make_estimator(cfg.zo.estimator))):
        return []  # in place, what is scored alone is scored in fp32
    device = chosen_device(cfg.use_gpu, cfg.device)
    dtype = str(base_dtype(True, device)).removeprefix("torch.")
    found = nearest(cfg.train.precision, dtype, device.type, cfg.zo.mu)
    if found and found.fidelity >= RECOMMENDED_FIDELITY:
        return []
    figure = (
        f"a gradient fidelity of {found.fidelity} at zo.mu {found.mu} with SmolLM2-135M" if found else "not measured"
    )
    return [
        f"warning: half precision adds rounding noise to projected gradients; {dtype} on {device.type}: {figure} "
        f"(1 is exact, {RECOMMENDED_FIDELITY} recommended). {_help(cfg)}; "
        "--check --fidelity 100 measures yours"
    ]


def _help(cfg: CfgNode) -> str:
    larger = "A larger zo.mu or batch helps"
    return larger if cfg.train.precision == "shared" else f"{larger}, and train.precision shared"


def nearest(precision: str, dtype: str, device: str, mu: float) -> Measurement | None:
    """Return the measurement of a dtype on a device whose mu has the nearest order of magnitude, if there is any."""
    rows = [row for row in MEASURED if (row.precision, row.dtype, row.device) == (precision, dtype, device)]
    return min(rows, key=lambda row: abs(math.log(row.mu / mu)), default=None)
