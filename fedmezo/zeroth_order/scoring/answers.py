"""Scoring by what the model writes: losses are 1 minus a metric of texts, and have no gradient."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from fedmezo.core.directions.scaled import Directions
from fedmezo.data.batches import IGNORED, Batch
from fedmezo.models.answers import Answering
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.text_metrics import TextMetric
from fedmezo.zeroth_order.scoring.copy_in import CopyInScorer
from fedmezo.zeroth_order.scoring.scorer import Total


@dataclass(frozen=True)
class AnswerCriterion:
    """What local training minimises where answers count: 1 minus a metric of texts.

    Args:
        metric: of an answer; the one reference is the response that the batch holds.
        answering: how the model is asked.
    """

    metric: TextMetric
    answering: Answering

    def losses(self, model: Any, batch: Batch) -> list[float]:
        """Return the loss of each example of a batch [B], the model taken as it stands."""
        prompts, responses = zip(*_parts(batch), strict=True)
        answers = self.answering.answers(model, prompts, len(prompts))
        wanted = map(self.answering.text, responses)
        return [1.0 - self.metric(answer, [right]) for answer, right in zip(answers, wanted, strict=True)]


class AnswerScorer(CopyInScorer):
    """Losses of one lane after the other, the model at each writing its answers to the prompts of the batch."""

    manner = "one point after the other, copied into the model, which writes its answers"

    def __init__(
        self,
        model: nn.Module,
        parameters: FlatParameters,
        directions: Directions,
        answers: AnswerCriterion,
        micro_batch_size: int = 0,
    ) -> None:
        super().__init__(model, parameters, directions, micro_batch_size=micro_batch_size)
        self._answers = answers

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow: none do."""
        return False

    def totals(self, batch: Batch, lanes: int = 1) -> list[Total]:
        """Return sum and number of the losses of a batch, the model taken as it stands."""
        losses = self._answers.losses(self.model, batch)
        return [Total(sum(losses), len(losses))]


def _parts(batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the tokens of prompt and response of each example."""
    lengths = batch.attention_mask.sum(dim=1).tolist()
    for ids, labels, length in zip(batch.input_ids.tolist(), batch.labels.tolist(), lengths, strict=True):
        start = next(place for place, label in enumerate(labels) if label != IGNORED)
        yield ids[:start], ids[start:length]
