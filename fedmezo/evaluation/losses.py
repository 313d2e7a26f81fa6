"""The loss of the global model on the clients' validation and test examples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # losses are also read where no model is

    from fedmezo.data.batches import Batch
    from fedmezo.zeroth_order.scoring import Scorer


@dataclass(frozen=True, eq=False)
class ExampleLosses:
    """Losses of the examples of one split.

    Args:
        indices: which examples, int64 [n], ascending.
        sums: cross-entropy summed over an example's response tokens, fp64 [n].
        tokens: number of response tokens, int64 [n].
        correct: how many of them are the most likely ones, int64 [n].
    """

    indices: NDArray[np.int64]
    sums: NDArray[np.float64]
    tokens: NDArray[np.int64]
    correct: NDArray[np.int64]

    def mean(self) -> float:
        """Return the token-weighted mean, which is what the training loss is for a batch."""
        return float(self.sums.sum() / self.tokens.sum())

    def accuracy(self) -> float:
        """Return the share of response tokens that are the most likely ones."""
        return float(self.correct.sum() / self.tokens.sum())

    def exact_match(self) -> float:
        """Return the share of examples whose response is what greedy decoding gives, token for token."""
        return float((self.correct == self.tokens).mean())

    def of(self, indices: NDArray[np.int64]) -> "ExampleLosses":
        """Return the part that belongs to some examples."""
        held = np.isin(self.indices, indices)
        return ExampleLosses(self.indices[held], self.sums[held], self.tokens[held], self.correct[held])


def example_losses(
    scorer: "Scorer",
    parameters: "Tensor",
    collate: "Callable[[NDArray[np.int64]], Batch]",
    indices: NDArray[np.int64],
    lengths: Callable[[int], int],
    batch_size: int,
    on_batch: Callable[[int], None] = lambda count: None,
) -> ExampleLosses:
    """Score examples in batches of similar length.

    Args:
        scorer: of the model.
        parameters: the point to score, fp32 [d].
        collate: makes a batch of examples.
        indices: the examples, int64 [n].
        lengths: tokens of an example.
        batch_size: examples scored at a time.
        on_batch: told the size of every batch that is done.
    """
    order = np.argsort([lengths(index) for index in indices], kind="stable")
    sums = np.empty(len(indices))
    tokens, correct = np.empty(len(indices), dtype=np.int64), np.empty(len(indices), dtype=np.int64)
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        scores = scorer.example_scores(parameters, collate(indices[rows]))
        sums[rows], tokens[rows], correct[rows] = (column.cpu().numpy() for column in scores)
        on_batch(len(rows))
    return ExampleLosses(indices, sums, tokens, correct)


def split_loss(losses: ExampleLosses, clients: Sequence[NDArray[np.int64]] | None) -> float:
    """Return the loss of a split.

    Args:
        losses: of its examples.
        clients: None for the token-weighted mean over the union; else each client's examples, for the mean of the
            clients' own token-weighted means, weighted by how many examples they have.
    """
    if clients is None:
        return losses.mean()
    total, weight = 0.0, 0
    for own in clients:
        held = losses.of(own)
        if len(held.indices):
            total += held.mean() * len(held.indices)
            weight += len(held.indices)
    return total / weight


@dataclass(frozen=True)
class Evaluator:
    """Evaluates parameters on the chosen splits.

    Args:
        score: example losses of parameters on indices.
        splits: for each evaluated split, the examples of every client that are evaluated.
        categories: of every example, None where unknown.
        pooled: evaluate the union of the clients' splits (``federate.make_global_eval``).
    """

    score: "Callable[[Tensor, NDArray[np.int64]], ExampleLosses]"
    splits: Mapping[str, Sequence[NDArray[np.int64]]]
    categories: Sequence[str | None] = ()
    pooled: bool = True

    def examples(self, split: str) -> NDArray[np.int64]:
        """Return the evaluated examples of a split, ascending."""
        return np.sort(np.concatenate(list(self.splits[split])))

    def __call__(self, parameters: "Tensor") -> dict[str, ExampleLosses]:
        """Return the losses of every example of every split."""
        return {split: self.score(parameters, self.examples(split)) for split in self.splits}

    def summary(self, losses: Mapping[str, ExampleLosses]) -> dict[str, float]:
        """Return one loss a split."""
        return {split: split_loss(rows, None if self.pooled else self.splits[split]) for split, rows in losses.items()}

    def details(self, losses: Mapping[str, ExampleLosses]) -> dict[str, dict[str, Any]]:
        """Return for each split accuracy, exact match, and the losses and accuracies of its clients and categories."""
        return {split: self._details(split, rows) for split, rows in losses.items()}

    def _details(self, split: str, losses: ExampleLosses) -> dict[str, Any]:
        clients = _parts(losses, {str(client): own for client, own in enumerate(self.splits[split])})
        categories = _parts(losses, self._by_category(losses.indices))
        return {
            "accuracy": losses.accuracy(),
            "exact_match": losses.exact_match(),
            "clients": {name: part.mean() for name, part in clients.items()},
            "categories": {name: part.mean() for name, part in categories.items()},
            "client_accuracy": {name: part.accuracy() for name, part in clients.items()},
            "category_accuracy": {name: part.accuracy() for name, part in categories.items()},
        }

    def _by_category(self, indices: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        names = np.array([(self.categories[index] if self.categories else None) or "" for index in indices])
        return {name: indices[names == name] for name in sorted(set(names.tolist())) if name}


def _parts(losses: ExampleLosses, groups: Mapping[str, NDArray[np.int64]]) -> dict[str, ExampleLosses]:
    parts = {name: losses.of(indices) for name, indices in groups.items()}
    return {name: part for name, part in parts.items() if len(part.indices)}
