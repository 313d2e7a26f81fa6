"""Scoring: the losses of parameter points on a batch, leaving no trace in the model."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from torch import nn

from fedmezo.core.directions.scaled import Directions
from fedmezo.core.log import LOG
from fedmezo.criteria import Criterion
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.models.blocks import Blocks
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.half_precision import pairing_of
from fedmezo.zeroth_order.scoring import chain, layerwise, lora_batched
from fedmezo.zeroth_order.scoring.adapter_blocks import AdapterBlocksScorer
from fedmezo.zeroth_order.scoring.answers import AnswerCriterion, AnswerScorer
from fedmezo.zeroth_order.scoring.compiled_layers import CompiledLayers
from fedmezo.zeroth_order.scoring.copy_in import CopyInScorer
from fedmezo.zeroth_order.scoring.layerwise import LayerwiseScorer
from fedmezo.zeroth_order.scoring.layerwise_blocks import LayerwiseBlocksScorer
from fedmezo.zeroth_order.scoring.lora_batched import LoraBatchedScorer
from fedmezo.zeroth_order.scoring.lora_blocks import LoraBlocksScorer
from fedmezo.zeroth_order.scoring.response_logits import token_losses
from fedmezo.zeroth_order.scoring.scorer import Request, Scorer
from fedmezo.zeroth_order.scoring.trunk import make_trunk

IN_BLOCKS: Mapping[Callable[..., Scorer], Callable[..., Scorer]] = {
    LoraBatchedScorer: LoraBlocksScorer,
    LayerwiseScorer: LayerwiseBlocksScorer,
    CopyInScorer: AdapterBlocksScorer,
}


def make_scorer(
    model: nn.Module,
    parameters: FlatParameters,
    directions: Directions,
    criterion: Criterion | AnswerCriterion = cross_entropy,
    *,
    compiled: bool = False,
    micro_batch_size: int = 0,
    movable: bool = False,
    folder: Path | None = None,
    label_tokens: Sequence[int] = (),
    cache_frozen_layers: bool = False,
    blocks: Blocks | None = None,
) -> Scorer:
    """Return the fastest scorer that can do what is trained of the model, and log why it is that one.

    Args:
        model: see :class:`Scorer`.
        parameters: likewise.
        directions: likewise.
        criterion: likewise; or one of what the model writes.
        compiled: whether to compile the model's layers for losses of lanes.
        micro_batch_size: examples of a batch that are scored at a time; 0 for all of them.
        movable: whether the only point there is may be the model's own buffer.
        folder: where that point is backed up while it is moved; the cache if left out.
        label_tokens: see :class:`Scorer`.
        cache_frozen_layers: whether to keep what the layers below the first trained one make of an example.
        blocks: that directions are inside of, if they are.
    """
    if isinstance(criterion, AnswerCriterion):
        LOG.debug("scoring: %s (lanes cannot write together)", AnswerScorer.manner)
        return AnswerScorer(model, parameters, directions, criterion, micro_batch_size)
    kind, reason = _kind(model, parameters, movable=movable)
    if blocks is not None:
        kind, reason = _in_blocks(kind, model, blocks)
    trunk = make_trunk(model) if cache_frozen_layers else None
    layers = CompiledLayers(model, trunk.layers if trunk else ()) if compiled else None
    scorer = kind(model, parameters, directions, criterion, layers, micro_batch_size, label_tokens, trunk)
    if isinstance(scorer, LayerwiseScorer):
        scorer.folder = folder
    LOG.debug("scoring: %s (%s)", scorer.manner, reason)
    return scorer


def _in_blocks(kind: Callable[..., Scorer], model: nn.Module, blocks: Blocks) -> tuple[Callable[..., Scorer], str]:
    """Return what begins forwards at blocks, where a kind of scorer has such a one, and the reason for what it is."""
    if kind is CopyInScorer and blocks.starts[0] < 0:
        reason: str | None = "something is trained that computes before the layers"
    elif kind is CopyInScorer and pairing_of(model) is not None:
        reason = "lanes of this adapter cannot share the rounding of half precision"
    else:
        reason = chain.obstacle(model, blocks.starts)
    if reason is not None:
        LOG.warning(f"zo.blocks = {max(blocks.of.values()) + 1}: each forward runs the whole model, because {reason}")
        return kind, reason
    return partial(IN_BLOCKS[kind], blocks=blocks), "directions are inside blocks of layers"


def _kind(model: nn.Module, parameters: FlatParameters, *, movable: bool) -> tuple[Callable[..., Scorer], str]:
    no_lanes = lora_batched.obstacle(model, parameters)
    if no_lanes is None:
        return LoraBatchedScorer, "plain LoRA on linear layers"
    if movable and layerwise.obstacle(model, parameters) is None:
        return LayerwiseScorer, "all parameters are trained"
    return CopyInScorer, no_lanes


__all__ = [
    "AdapterBlocksScorer",
    "AnswerCriterion",
    "AnswerScorer",
    "CopyInScorer",
    "LayerwiseBlocksScorer",
    "LayerwiseScorer",
    "LoraBatchedScorer",
    "LoraBlocksScorer",
    "Request",
    "Scorer",
    "make_scorer",
    "token_losses",
]
