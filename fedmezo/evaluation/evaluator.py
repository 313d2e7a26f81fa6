"""Evaluation of the global model on the clients' validation and test examples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedmezo.evaluation.example_sums import ExampleSums
from fedmezo.evaluation.metrics import Metric
from fedmezo.ledger.records import LOSS, Measured

if TYPE_CHECKING:
    from torch import Tensor

Groups = Mapping[str, NDArray[np.int64]]  # examples by client, or by category


@dataclass(frozen=True)
class Evaluator:
    """Evaluates parameters on the chosen splits.

    Args:
        score: sums of examples, given parameters [d] and which examples.
        metrics: what is evaluated; the loss is one of them.
        splits: for each evaluated split, the examples of every client that are evaluated.
        categories: of every example, None where unknown.
        pooled: take the loss over the union of the clients' splits (``federate.make_global_eval``), as all other
            metrics are; else the mean of the clients' own, weighted by how many examples they have.
    """

    score: "Callable[[Tensor, NDArray[np.int64]], ExampleSums]"
    metrics: Sequence[Metric]
    splits: Mapping[str, Sequence[NDArray[np.int64]]]
    categories: Sequence[str | None] = ()
    pooled: bool = True

    def examples(self, split: str) -> NDArray[np.int64]:
        """Return the evaluated examples of a split, ascending."""
        return np.sort(np.concatenate(list(self.splits[split])))

    def __call__(self, parameters: "Tensor") -> dict[str, ExampleSums]:
        """Return the sums of every example of every split."""
        return {split: self.score(parameters, self.examples(split)) for split in self.splits}

    def results(self, split: str, sums: ExampleSums) -> dict[str, Measured]:
        """Return the results of a split, of its clients and of its categories, by metric."""
        clients = _parts(sums, {str(client): own for client, own in enumerate(self.splits[split])})
        categories = _parts(sums, self._by_category(sums.indices))
        return {
            metric.name: Measured(
                self.result(split, sums, metric),
                metric.higher_is_better,
                {name: part.result(metric) for name, part in clients.items()} if metric.by_group else None,
                {name: part.result(metric) for name, part in categories.items()} if metric.by_group else None,
            )
            for metric in self.metrics
        }

    def result(self, split: str, sums: ExampleSums, metric: Metric) -> float:
        """Return one metric of a split."""
        if self.pooled or metric.name != LOSS:
            return sums.result(metric)
        return mean_over_clients(sums, metric, self.splits[split])

    def _by_category(self, indices: NDArray[np.int64]) -> Groups:
        names = np.array([(self.categories[index] if self.categories else None) or "" for index in indices])
        return {name: indices[names == name] for name in sorted(set(names.tolist())) if name}


def mean_over_clients(sums: ExampleSums, metric: Metric, clients: Sequence[NDArray[np.int64]]) -> float:
    """Return the mean of the clients' own results, weighted by how many examples they have."""
    total, weight = 0.0, 0
    for own in clients:
        held = sums.of(own)
        if len(held.indices):
            total += held.result(metric) * len(held.indices)
            weight += len(held.indices)
    return total / weight


def _parts(sums: ExampleSums, groups: Groups) -> dict[str, ExampleSums]:
    parts = {name: sums.of(indices) for name, indices in groups.items()}
    return {name: part for name, part in parts.items() if len(part.indices)}
