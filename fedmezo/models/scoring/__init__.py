"""Scoring: the losses of parameter points on a batch, leaving no trace in the model."""

from pathlib import Path

from torch import nn

from fedmezo.criteria import Criterion
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.log import LOG
from fedmezo.models.compiling import CompiledLayers
from fedmezo.models.flat import FlatParameters
from fedmezo.models.scoring import in_place, lanes
from fedmezo.models.scoring.in_place import InPlaceScorer
from fedmezo.models.scoring.lanes import LaneScorer
from fedmezo.models.scoring.responses import token_losses
from fedmezo.models.scoring.scorer import ExampleScores, Request, Scorer
from fedmezo.models.scoring.swap import SwapScorer
from fedmezo.zeroth_order.directions.scaled import Directions


def make_scorer(
    model: nn.Module,
    parameters: FlatParameters,
    directions: Directions,
    criterion: Criterion = cross_entropy,
    *,
    compiled: bool = False,
    micro_batch_size: int = 0,
    movable: bool = False,
    folder: Path | None = None,
) -> Scorer:
    """Return the fastest scorer that can do what is trained of the model, and log why it is that one.

    Args:
        model, parameters, directions, criterion: see :class:`Scorer`.
        compiled: whether to compile the model's layers for losses of lanes.
        micro_batch_size: examples of a batch that are scored at a time; 0 for all of them.
        movable: whether the only point there is may be the model's own buffer.
        folder: where that point waits while it is moved; the cache if left out.
    """
    kind, reason = _kind(model, parameters, movable=movable)
    layers = CompiledLayers(model) if compiled else None
    scorer = kind(model, parameters, directions, criterion, layers, micro_batch_size)
    if isinstance(scorer, InPlaceScorer):
        scorer.folder = folder
    LOG.debug("scoring: %s (%s)", scorer.manner, reason)
    return scorer


def _kind(model: nn.Module, parameters: FlatParameters, *, movable: bool) -> tuple[type[Scorer], str]:
    no_lanes = lanes.obstacle(model, parameters)
    if no_lanes is None:
        return LaneScorer, "plain LoRA on linear layers"
    if movable and in_place.obstacle(model, parameters) is None:
        return InPlaceScorer, "all parameters are trained"
    return SwapScorer, no_lanes


__all__ = [
    "ExampleScores",
    "InPlaceScorer",
    "LaneScorer",
    "Request",
    "Scorer",
    "SwapScorer",
    "make_scorer",
    "token_losses",
]
