"""Scoring: the losses of parameter points on a batch, leaving no trace in the model."""

from torch import nn

from fedmezo.criteria import Criterion
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.log import LOG
from fedmezo.models.flat import FlatParameters
from fedmezo.models.scoring.lanes import LaneScorer, obstacle
from fedmezo.models.scoring.responses import respond, token_losses
from fedmezo.models.scoring.swap import ExampleScores, Scorer


def make_scorer(model: nn.Module, parameters: FlatParameters, criterion: Criterion = cross_entropy) -> Scorer:
    """Return the fastest scorer that can do the model's adapter, and log why it is that one."""
    reason = obstacle(model, parameters)
    scorer = LaneScorer(model, parameters, criterion) if reason is None else Scorer(model, parameters, criterion)
    LOG.debug("scoring: %s (%s)", scorer.manner, reason or "plain LoRA on linear layers")
    return scorer


__all__ = ["ExampleScores", "LaneScorer", "Scorer", "make_scorer", "respond", "token_losses"]
