"""Sums of metrics over the response tokens of examples, as a model scores them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import Batch
from fedmezo.evaluation.example_sums import ExampleSums, Sums
from fedmezo.evaluation.metrics import Metric
from fedmezo.evaluation.metrics.make import token_sums
from fedmezo.zeroth_order.scoring import Scorer


@torch.inference_mode()
def batch_sums(
    scorer: Scorer, point: Tensor, batch: Batch, metrics: Sequence[Metric], *, as_texts: bool = False
) -> dict[str, Sums]:
    """Return the sums of each example of a batch [B], whatever the criterion of training is.

    Args:
        scorer: of the model.
        point: the parameters, fp32 [d].
        batch: of examples.
        metrics: those that have sums of their own.
        as_texts: look at the responses as texts, also where a label word is chosen.
    """
    size, device = len(batch.labels), scorer.parameters.buffer.device
    sums = {
        metric.name: (
            torch.zeros(size, dtype=torch.float64, device=device),
            torch.zeros(size, dtype=torch.int64, device=device),
        )
        for metric in metrics
        if not metric.sums_of
    }
    with scorer.at(point):
        for logits, labels, rows in scorer.responses(batch) if as_texts else scorer.answers(batch):
            losses = cross_entropy(logits, labels, rows)
            for metric in metrics:
                if metric.name in sums:
                    found = token_sums(metric, logits, labels, losses)
                    for total, own in zip(sums[metric.name], found, strict=True):
                        total.index_add_(0, rows, own)
    return {name: Sums(values.cpu().numpy(), counts.cpu().numpy()) for name, (values, counts) in sums.items()}


def example_sums(
    scorer: Scorer,
    point: Tensor,
    collate: Callable[[NDArray[np.int64]], Batch],
    indices: NDArray[np.int64],
    lengths: Callable[[int], int],
    batch_size: int,
    metrics: Sequence[Metric],
    on_batch: Callable[[int], None] = lambda count: None,
) -> ExampleSums:
    """Score examples in batches of similar length.

    Args:
        scorer: of the model.
        point: the parameters to score, fp32 [d].
        collate: makes a batch of examples.
        indices: the examples, int64 [n], ascending.
        lengths: tokens of an example.
        batch_size: examples scored at a time.
        metrics: what is summed.
        on_batch: told the size of every batch that is done.
    """
    order = np.argsort([lengths(index) for index in indices], kind="stable")
    count = len(indices)
    sums = {each.name: Sums(np.empty(count), np.empty(count, dtype=np.int64)) for each in metrics if not each.sums_of}
    for begin in range(0, count, batch_size):
        rows = order[begin : begin + batch_size]
        for name, own in batch_sums(scorer, point, collate(indices[rows]), metrics).items():
            sums[name].values[rows], sums[name].counts[rows] = own
        on_batch(len(rows))
    return ExampleSums(indices, sums)
