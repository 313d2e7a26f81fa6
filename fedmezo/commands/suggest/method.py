"""A kind of step that learns more from the same forward passes than the configured one."""

from typing import Any

import yaml
from yacs.config import CfgNode

from fedmezo.assembly import LearningTask, zeroth_order
from fedmezo.config import to_dict
from fedmezo.models.blocks import decoder_layers, divide_into_blocks
from fedmezo.zeroth_order.estimators.make import make_estimator
from fedmezo.zeroth_order.scoring import chain

BLOCKS = 10  # of layers, and directions of a step


def faster(cfg: CfgNode, task: LearningTask) -> str:
    """Return the words for directions inside blocks of layers, and why; empty where they are no gain, or not possible.

    They are for LoRA: its A is frozen, as B = 0 leaves it without a gradient at first, and its walk ends runs. A round
    costs the same forwards, counted in layers; batches are of one example, the rate is ``auto``.
    """
    if not (zeroth_order(cfg) and _is_lora(cfg) and cfg.zo.blocks == 1):
        return ""
    if cfg.train.train_strategy != "frozen" or cfg.train.batch_or_epoch != "batch":
        return ""
    layers = decoder_layers(task.model)
    count = min(BLOCKS, sum(any(own.requires_grad for own in layer.parameters()) for layer in layers))
    if count < 2 or chain.obstacle(task.model, divide_into_blocks(task.model, task.parameters, count).starts):
        return ""
    steps = max(1, round(_forwards(cfg) / (1.0 + (count + 1) / 2)))
    words = (
        f"llm.adapter.args '{_frozen(cfg)}' zo.blocks {count} zo.queries {count} zo.estimator one-sided "
        f"dataloader.batch_size 1 train.local_update_steps {steps} train.optimizer.lr auto"
    )
    return (
        "method: from the same forwards, LoRA with A frozen and directions inside blocks of layers have lowered the\n"
        "  loss further than central differences of all that is trained (docs/benchmarks.md, learning per forward)\n"
        f"  -> instead of a rate: {words}"
    )


def _is_lora(cfg: CfgNode) -> bool:
    args = cfg.llm.adapter.args
    return bool(cfg.llm.adapter.use) and len(args) == 1 and args[0].get("adapter_method", "lora") == "lora"


def _forwards(cfg: CfgNode) -> float:
    """Return the forwards of an example that a client's round has now."""
    lanes = len(make_estimator(cfg.zo.estimator).lanes(range(1, 1 + cfg.zo.queries), 1.0))
    return float(cfg.train.local_update_steps * cfg.dataloader.batch_size * lanes)


def _frozen(cfg: CfgNode) -> str:
    args: list[dict[str, Any]] = to_dict(cfg)["llm"]["adapter"]["args"]
    return str(yaml.safe_dump([{**args[0], "freeze_a": True}], default_flow_style=True, width=10**6).strip())
