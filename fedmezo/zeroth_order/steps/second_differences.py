"""The curvature of the loss along directions, from losses on both sides of a point and at it."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, islice

from fedmezo.core.directions.blocks import block_of
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.steps import Round

LEAST, EVERY = 4, 10
# Of newton's step. It is best where a batch's gradient is that of all data; with noise the best is |G|^2 / E |g|^2 of
# it, and beyond twice that the loss rises. For single word problems and SmolLM2-135M that is a third.
CAUTION = 0.3


class Curvature:
    """h = (L(theta + mu z) + L(theta - mu z) - 2 L(theta)) / mu^2 = z'Hz, whose mean over directions is tr H.

    In the first step of a round it is measured along all directions of the step, and along the next ones where these
    are fewer than LEAST, until something is known; in every EVERYth later step along one direction of the step, in
    turn. Losses that the gradient estimator wants too cost nothing more.
    """

    def __init__(self, work: Round) -> None:
        self._work = work
        self._squares: defaultdict[int, list[float]] = defaultdict(list)  # h^2 by block

    def lanes(self, step: int) -> list[Lane]:
        """Return where losses are wanted in a step."""
        keys, mu = self._measured(step), self._work.mu
        return [Lane(0, 0.0), *(Lane(key, sign) for sign in (mu, -mu) for key in keys)] if keys else []

    def observe(self, step: int, losses: Mapping[Lane, float]) -> None:
        """Take in what the losses of a step say; those that are not finite say nothing."""
        mu = self._work.mu
        for key in self._measured(step):
            found = (losses[Lane(key, mu)] + losses[Lane(key, -mu)] - 2.0 * losses[Lane(0, 0.0)]) / (mu * mu)
            if math.isfinite(found):
                self._squares[self._block(key)].append(found * found)

    def size(self, key: int) -> float:
        """Return the root mean square of h in the block of a direction; infinite where nothing is known.

        The mean square of all blocks counts as one more measurement: a block has few of its own at first.
        """
        if not self._squares:
            return math.inf
        own, every = self._squares.get(self._block(key), []), list(chain.from_iterable(self._squares.values()))
        return math.sqrt(math.fsum([*own, math.fsum(every) / len(every)]) / (len(own) + 1))

    def newton(self, step: int, gradients: Sequence[float], losses: Mapping[Lane, float]) -> list[float]:
        """Return how far newton's step goes along each direction of a step [Q]: g / h, and the share of g where h is 0.

        Together they are shortened where their parabolas, sum g^2 / 2 h, would be lower than 0 by the mean loss of the
        step: no loss is. So it is where directions are not independent, as with one token's loss, whose curvature is
        along one direction only, and where an example is told with confidence and wrong: its h is small, its g is not.
        Source: the bound of the stochastic Polyak step size (Loizou et al., AISTATS 2021).
        """
        self.observe(step, losses)
        sizes = [self.size(key) for key in self._work.keys[step]]
        share = self._work.share
        steps = [gradient / size if size else gradient * share for gradient, size in zip(gradients, sizes, strict=True)]
        falls = math.fsum(gradient * each for gradient, each in zip(gradients, steps, strict=True)) / 2
        finite = [loss for loss in losses.values() if math.isfinite(loss)]
        level = math.fsum(finite) / len(finite) if finite else math.inf
        return [each * level / falls for each in steps] if 0.0 <= level < falls else steps

    def _measured(self, step: int) -> list[int]:
        own = self._work.keys[step]
        if not self._squares:
            return list(islice(chain.from_iterable(self._work.keys[step:]), max(len(own), LEAST)))
        return [own[step // EVERY % len(own)]] if step % EVERY == 0 else []

    def _block(self, key: int) -> int:
        return block_of(key, self._work.blocks)
