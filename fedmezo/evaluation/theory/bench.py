"""The bench that points of a run are put on: batches, examples and vectors, the same at every point."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.core.directions.blocks import BlockOrder
from fedmezo.core.errors import DivergedError
from fedmezo.core.randomness import stream_key
from fedmezo.data.batches import Batch
from fedmezo.evaluation.theory.comparison import Comparison
from fedmezo.evaluation.theory.curvature import Curvature, measure_curvature
from fedmezo.evaluation.theory.descent import Descent, descent
from fedmezo.evaluation.theory.division import Division, whole
from fedmezo.evaluation.theory.findings import Chosen, Findings, conditions, spread
from fedmezo.evaluation.theory.heterogeneity import Gradients, inner_products
from fedmezo.evaluation.theory.landscape import Landscape, NotFiniteError
from fedmezo.evaluation.theory.measured import Measured
from fedmezo.evaluation.theory.sample import Sample
from fedmezo.evaluation.theory.smoothness import secant_smoothness
from fedmezo.evaluation.theory.variance import Variance, measure_variance
from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.replay import DirectionKeys
from fedmezo.zeroth_order.scoring import Scorer

VECTORS, ESTIMATES = -2, -3  # the "client" of streams that no client draws from


@dataclass(frozen=True)
class Sizes:
    """How much is sampled.

    Args:
        batches: of each client, for gradients.
        estimates: of the gradient, on each of these batches.
        examples: whose mean loss the Hessian is of.
        pairs: of vectors for its trace; Lanczos' method begins from the first of each.
        steps: of Lanczos' method.
        moves: steps that are taken, of blocks and of whole directions each, where these are compared.
        held_out: examples that the gain of these is measured on.
    """

    batches: int
    estimates: int
    examples: int
    pairs: int
    steps: int
    moves: int
    held_out: int

    def work(self, clients: int, *, compared: bool) -> int:
        """Return how many times ``on_batch`` is told at a point: by gradients, estimates, products, and moves."""
        found = clients * self.batches * (1 + self.estimates) + self.examples * (self.steps + 3)
        return found + 2 * self.moves * compared


@dataclass(frozen=True, eq=False)
class Bench:
    """What is measured with.

    Args:
        exact: the model in fp32.
        estimating: scorer of a run that estimates gradients; None for a run that computes them.
        mu: of the run.
        estimator: likewise.
        batches: of each client [N, K].
        weights: of the clients, which sum to 1 [N].
        examples: batches of one example.
        chosen: by the run's configuration.
        order: of the blocks that the run's directions are in.
        comparison: of directions in blocks with whole ones; None where nothing is divided into blocks.
        sizes: of the samples.
        seed: of the run.
        on_batch: told of every gradient, estimate, product, and step that is taken.
    """

    exact: Scorer
    estimating: Scorer | None
    mu: float
    estimator: Estimator
    batches: Sequence[Sequence[Batch]]
    weights: NDArray[np.float64]
    examples: Sequence[Batch]
    chosen: Chosen
    order: BlockOrder
    comparison: Comparison | None
    sizes: Sizes
    seed: int
    on_batch: Callable[[], object] = lambda: None

    def findings(self, points: Mapping[int, Tensor]) -> Iterator[tuple[Findings, Gradients]]:
        """Yield what is found at points [d], by the rounds that were done, with the inner products of gradients.

        Raises:
            DivergedError: parameters, losses or derivatives are not finite at a point.
        """
        before: tuple[Tensor, Tensor] | None = None
        for rounds_done, point in points.items():
            with _finite_after(rounds_done):
                found, products, gradients = self._at(rounds_done, point, before)
            yield found, products
            before = (point, gradients)

    def _at(
        self, rounds_done: int, point: Tensor, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Findings, Gradients, Tensor]:
        """Return what is found at a point, and the gradients there [N, K, d], given the point before and its own."""
        if not torch.isfinite(point).all():
            raise NotFiniteError("a parameter is not finite")
        self.exact.parameters.write(point)
        gradients = self._gradients()
        smoothness = None if before is None else self._smoothness(*before, point, gradients)
        blocks = range(self._division.count)
        parts = tuple(inner_products(self._division.restricted(gradients, block), self.weights) for block in blocks)
        products = Gradients(np.sum([each.gram for each in parts], axis=0), self.weights)
        return self._findings(rounds_done, point, gradients, parts, products, smoothness), products, gradients

    def _findings(
        self,
        rounds_done: int,
        point: Tensor,
        gradients: Tensor,
        parts: tuple[Gradients, ...],
        products: Gradients,
        smoothness: Measured | None,
    ) -> Findings:
        found, (curvature, traces) = spread(products), self._curvature()
        variance = self._variance(rounds_done, point, gradients)
        condition, effective = conditions(self.chosen, found, curvature) if variance else (None, None)
        sample = Sample(parts, traces, self._along(gradients))
        compared = None
        if self.comparison is not None:
            batches = [batch for own in self.batches for batch in own]
            compared = self.comparison.at(rounds_done, sample, self.exact, batches, self.on_batch)
        model = self._descent(sample) if condition else None
        return Findings(rounds_done, found, curvature, smoothness, variance, condition, effective, model, compared)

    def _along(self, gradients: Tensor) -> NDArray[np.float64]:
        """Return g_b . Hess_bc g_c [B, B]."""
        slope = torch.einsum("n,nkd->d", torch.from_numpy(self.weights).to(gradients), gradients) / self.sizes.batches
        apart = self._division.apart(slope)
        found = self._landscape.forms(self._point, self.examples, apart, self._division, beside=slope)
        return np.asarray(found.mean(dim=0).T.numpy())

    def _descent(self, sample: Sample) -> Descent:
        """Return the model of a round of the run."""
        divided = self.order.count > 1
        return descent(
            sample.terms.only(self.order.used) if divided else sample.terms.together(),
            steps=self.chosen.steps,
            clients=self.chosen.clients,
            queries=self.chosen.queries,
            drawn=self.order.drawn,
        )

    @property
    def _division(self) -> Division:
        """The division into blocks; where there are none, all parameters as one."""
        return self.comparison.division if self.comparison else whole(self.exact.parameters.size)

    @property
    def _landscape(self) -> Landscape:
        return Landscape(self.exact, self.on_batch)

    @property
    def _point(self) -> Tensor:
        """The point that the model stands at."""
        return self.exact.parameters.buffer

    def _gradients(self) -> Tensor:
        """Return the gradients of all batches [N, K, d]."""
        landscape = self._landscape
        rows = [[landscape.gradient(self._point, batch) for batch in own] for own in self.batches]
        return torch.stack([torch.stack(row) for row in rows])

    def _curvature(self) -> tuple[Curvature, NDArray[np.float64]]:
        """Return the curvature, and what it knows of the blocks' traces [m, P, B]."""
        landscape, point = self._landscape, self._point
        signs = torch.ones_like(point)
        for span in self.exact.parameters.spans[::2]:
            signs[span.start : span.stop] = -1.0
        return measure_curvature(
            lambda vectors: landscape.mean_products(point, self.examples, vectors),
            lambda vectors: landscape.forms(point, self.examples, vectors, self._division),
            signs,
            [stream_key(self.seed, "direction", client=VECTORS, step=pair) for pair in range(self.sizes.pairs)],
            self.sizes.steps,
        )

    def _smoothness(self, before: Tensor, slopes: Tensor, point: Tensor, gradients: Tensor) -> Measured | None:
        distance = self._landscape.distance(before, point)
        return secant_smoothness(slopes, gradients, self.weights, distance) if distance else None

    def _variance(self, rounds_done: int, point: Tensor, gradients: Tensor) -> Variance | None:
        """Return the variance of the run's own estimates, on its own scorer."""
        if self.estimating is None:
            return None
        self.estimating.parameters.write(point)
        batches = [batch for own in self.batches for batch in own]
        division = self._division if self.order.count > 1 else whole(point.numel())
        keys = DirectionKeys(self.seed, self.chosen.queries, blocks=self.order)
        each = iter(keys(rounds_done, ESTIMATES, len(batches) * self.sizes.estimates))
        return measure_variance(
            self.estimating,
            self.estimating.parameters.buffer,
            batches,
            division.sums(gradients.flatten(0, 1).double().square()).tolist(),
            [[next(each) for _ in range(self.sizes.estimates)] for _ in batches],
            division,
            mu=self.mu,
            estimator=self.estimator,
            on_estimate=self.on_batch,
        )


@contextmanager
def _finite_after(rounds_done: int) -> Iterator[None]:
    try:
        yield
    except NotFiniteError as error:
        raise DivergedError(
            f"--round {rounds_done}\n    {error}: the run has diverged; expected the number of an earlier round"
        ) from error
