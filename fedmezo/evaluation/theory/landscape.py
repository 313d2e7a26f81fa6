"""The loss of a run as its directions see it: gradients and Hessian-vector products.

With ``zo.scales`` the directions are S z. In the coordinates u = theta / S they are z, and theta moves by S where u
moves by 1, so that everything of this package holds in u: the gradient is S grad f, the Hessian S (Hess f) S.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from fedmezo.core.errors import ConfigurationError
from fedmezo.data.batches import Batch
from fedmezo.evaluation.fidelity import gradient
from fedmezo.evaluation.theory.division import Division
from fedmezo.zeroth_order.scoring import Scorer


class NotFiniteError(ArithmeticError):
    """The loss, or a derivative of it, is not finite."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Derivatives of the losses of batches, by backpropagation.

    Args:
        scorer: of a model in fp32.
        on_batch: told of every batch that is done.
    """

    scorer: Scorer
    on_batch: Callable[[], object] = lambda: None

    @property
    def size(self) -> int:
        """Number of trainable parameters d."""
        return self.scorer.parameters.size

    @cached_property
    def _scales(self) -> Tensor | None:
        parts = self.scorer.directions.parts
        if all(part.scale == 1.0 for part in parts):
            return None
        return torch.cat([torch.full((part.stop - part.start,), part.scale) for part in parts])

    def _scaled(self, vectors: Tensor) -> Tensor:
        return vectors if self._scales is None else vectors * self._scales.to(vectors.device)

    def gradient(self, point: Tensor, batch: Batch) -> Tensor:
        """Return the gradient [d] of a batch's loss.

        Raises:
            NotFiniteError: it is not finite.
        """
        found = self._scaled(gradient(self.scorer, point, batch))
        self.on_batch()
        return _finite(found, "loss, or its gradient,")

    def distance(self, before: Tensor, after: Tensor) -> float:
        """Return how far two points [d] are apart."""
        moved = (after - before).double()
        if self._scales is not None:
            moved = moved[self._scales > 0] / self._scales[self._scales > 0].to(moved.device)
        return float(moved.norm())

    def products(self, point: Tensor, batch: Batch, vectors: Tensor) -> Tensor:
        """Return the products of the Hessian of a batch's loss with vectors [P, d], by differentiating twice.

        Raises:
            ConfigurationError: the model, or the criterion, cannot be differentiated twice.
            NotFiniteError: they are not finite.
        """
        try:
            found = torch.stack(list(self._products(point, batch, self._scaled(vectors))))
        except (RuntimeError, NotImplementedError) as error:
            if "derivative" not in str(error):
                raise
            raise ConfigurationError(
                f"model.type\n    the Hessian needs second derivatives, which this model has not: {error}"
            ) from error
        self.on_batch()
        return _finite(self._scaled(found), "Hessian")

    def _products(self, point: Tensor, batch: Batch, vectors: Tensor) -> Iterator[Tensor]:
        parameters = self.scorer.parameters
        # fused kernels of attention have no second derivative
        with self.scorer.at(point) as model, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
            named = dict(model.named_parameters())
            tensors = [named[span.name] for span in parameters.spans]
            slopes = torch.autograd.grad(self.scorer.values(batch).mean(), tensors, create_graph=True)
            for number, vector in enumerate(vectors, start=1):
                own = [
                    part.to(slope.device)
                    for part, slope in zip(parameters.tensors(vector).values(), slopes, strict=True)
                ]
                found = torch.autograd.grad(
                    slopes, tensors, own, retain_graph=number < len(vectors), materialize_grads=True
                )
                yield torch.cat([each.flatten().to(vectors.device) for each in found])

    def mean_products(self, point: Tensor, batches: Sequence[Batch], vectors: Tensor) -> Tensor:
        """Return the products [P, d] with the Hessian of the mean loss of batches."""
        total = torch.zeros_like(vectors)
        for batch in batches:
            total += self.products(point, batch, vectors)
        return total / len(batches)

    def forms(
        self,
        point: Tensor,
        batches: Sequence[Batch],
        vectors: Tensor,
        division: Division,
        beside: Tensor | None = None,
    ) -> Tensor:
        """Return u_b . (H v)_b of each batch's Hessian, each v of some vectors [P, d] and each block, fp64 [m, P, B].

        Their sum over blocks is u . H v.

        Args:
            point: where.
            batches: m of them.
            vectors: v.
            division: of the parameters, into B blocks.
            beside: u [d]; each v itself if left out.
        """
        other = (vectors if beside is None else beside).double()
        rows = [division.sums(self.products(point, batch, vectors).double() * other).cpu() for batch in batches]
        return torch.stack(rows)


def _finite(found: Tensor, what: str) -> Tensor:
    if not torch.isfinite(found).all():
        raise NotFiniteError(f"the {what} is not finite")
    return found
