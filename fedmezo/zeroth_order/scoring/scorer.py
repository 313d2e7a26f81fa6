"""The contract of scoring: the losses of lanes, leaving no trace in the model."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from fedmezo.core.directions.scaled import Directions
from fedmezo.criteria import Criterion, sees_labels
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.criteria.make import differentiable
from fedmezo.data.batches import Batch, split_batch
from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.compiled_layers import CompiledLayers
from fedmezo.zeroth_order.scoring.response_logits import MOST_LOGITS, Reader, Responses
from fedmezo.zeroth_order.scoring.trunk import Trunk


class Request(NamedTuple):
    """What a client wants to know: the losses of lanes around a point [d] on a batch."""

    point: Tensor
    lanes: Sequence[Lane]
    batch: Batch


class Total(NamedTuple):
    """Sum (in fp64) and number of a criterion's values."""

    value: float
    number: int


class Scorer(ABC):
    """Losses of lanes: parameter points near another one, each on a batch.

    Args:
        model: in eval mode; dropout never acts while scoring.
        parameters: the model's trainable parameters.
        directions: that lanes lie along.
        criterion: what training minimises.
        compiled: the model's layers for losses of lanes; None to compute as they are.
        micro_batch_size: examples of a batch that are scored at a time; 0 for all of them.
        label_tokens: the first token of each label word, of a classification task; empty where responses are texts.
        trunk: of the model, if what comes out of it is kept.

    Attributes:
        manner: how lanes are scored, in words.
        most_logits: in memory together, if the criterion looks at one token at a time.
        in_place: whether there is one point only, the model's own buffer, which local training moves.
    """

    manner: ClassVar[str]
    in_place: ClassVar[bool] = False
    most_logits: int = MOST_LOGITS

    def __init__(
        self,
        model: nn.Module,
        parameters: FlatParameters,
        directions: Directions = Directions(),  # noqa: B008  it is immutable
        criterion: Criterion = cross_entropy,
        compiled: CompiledLayers | None = None,
        micro_batch_size: int = 0,
        label_tokens: Sequence[int] = (),
        trunk: Trunk | None = None,
    ) -> None:
        self.model = model.eval()
        self.parameters = parameters
        self.directions = directions
        self.criterion = criterion
        self.micro_batch_size = micro_batch_size
        self.label_tokens = tuple(label_tokens)
        self._compiled = compiled
        self._trunk = trunk

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow from the losses back to the parameters."""
        return differentiable(self.criterion)

    @property
    def shares_rounding(self) -> bool:
        """Whether half precision rounds both signs of a direction alike, so that their difference is exact."""
        return False

    def losses(self, point: Tensor, lanes: Sequence[Lane], batch: Batch) -> list[float]:
        """Return the loss of each lane around a point [d]: the mean of the criterion over the batch, summed in fp64.

        Every parameter is bit for bit as before afterwards.
        """
        return self.losses_together([Request(point, lanes, batch)])[0]

    @torch.inference_mode()
    def losses_together(self, requests: Sequence[Request]) -> list[list[float]]:
        """Return the losses of several requests, which may share forward passes: equal up to rounding."""
        self.prepare(*(request.batch for request in requests))
        parts = [self._parts(request) for request in requests]
        sums = [np.zeros((2, len(request.lanes))) for request in requests]  # of the criterion's values, and of ones
        with self._quick():
            for wave in range(max(map(len, parts))):  # micro-batches of one request never share a forward
                numbers = [number for number, own in enumerate(parts) if wave < len(own)]
                for number, totals in zip(numbers, self._totals([parts[n][wave] for n in numbers]), strict=True):
                    sums[number] += np.array(totals).T
        return [(values / counts).tolist() for values, counts in sums]

    @property
    def keeps(self) -> bool:
        """Whether what frozen layers make of an example is computed once, and kept."""
        return self._trunk is not None

    def prepare(self, *batches: Batch) -> None:
        """Compute what is kept of the examples of some batches, if it is not there."""
        if self._trunk is not None:
            self._trunk.prepare(batches)

    def _parts(self, request: Request) -> list[Request]:
        """Return a request as requests for micro-batches."""
        size = self.micro_batch_size or len(request.batch.labels)
        return [request._replace(batch=part) for part in split_batch(request.batch, size)]

    @abstractmethod
    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        """Return a total for each lane of each request."""

    @contextmanager
    def restoring(self, point: Tensor) -> Iterator[None]:
        """Let local training work from a point [d] inside the block; the point is as before afterwards."""
        yield

    @contextmanager
    def at(self, point: Tensor) -> Iterator[nn.Module]:
        """Give the model with its parameters at ``point`` [d]; they are bit-identical to before afterwards."""
        if point.data_ptr() == self.parameters.buffer.data_ptr():
            yield self.model
            return
        resident = self.parameters.buffer.clone()
        try:
            self.parameters.write(point)
            yield self.model
        finally:
            self.parameters.write(resident)

    def values(self, batch: Batch) -> Tensor:
        """Return the criterion's values on a batch [m], whose mean is the loss; the model is taken as it stands."""
        (responses,) = self._seen(batch)
        return self.criterion(*responses)

    @torch.inference_mode()
    def loss(self, point: Tensor, batch: Batch) -> float:
        """Return the loss at a point [d], which is copied into the model."""
        with self.at(point):
            (total,) = self.totals(batch)
        return total.value / total.number

    def totals(self, batch: Batch, lanes: int = 1) -> list[Total]:
        """Return sum and number of the criterion's values for each lane of a batch, the model taken as it stands."""
        if getattr(self.criterion, "tokenwise", False) and not self._chooses:
            parts = self._reader.parts(batch, lanes, self.most_logits)
        else:
            parts = iter([self._seen(batch, lanes)])
        sums: list[list[Tensor]] = []  # [parts, L], on the device until the last one is there
        numbers = [0] * lanes
        for part in parts:
            sums.append([])
            for lane, responses in enumerate(part):
                total, number = self._sum(responses)
                sums[-1].append(total)
                numbers[lane] += number
        values = torch.stack([torch.stack(part) for part in sums], dim=1).tolist()
        return [Total(math.fsum(own), number) for own, number in zip(values, numbers, strict=True)]

    def _sum(self, responses: Responses) -> tuple[Tensor, int]:
        """Return the sum of the criterion's values, fp64 [], and their number."""
        if not len(responses.labels):  # another lane has more of them
            return torch.zeros((), dtype=torch.float64, device=responses.logits.device), 0
        values = self.criterion(*responses)
        return values.double().sum(), values.numel()

    def responses(self, batch: Batch) -> Iterator[Responses]:
        """Yield what the model says at the response tokens of a batch, part by part; it is taken as it stands."""
        return (part for (part,) in self._reader.parts(batch))

    def answers(self, batch: Batch) -> Iterator[Responses]:
        """Yield what metrics look at: of classification what the model says of the classes, else its responses."""
        if not self.label_tokens:
            return self.responses(batch)
        return iter(self._reader.classes(batch, self._label_tokens))

    def _seen(self, batch: Batch, lanes: int = 1) -> list[Responses]:
        """Return all that the criterion looks at in each lane of a batch."""
        if self._chooses:
            return self._reader.classes(batch, self._label_tokens, lanes)
        return self._reader.whole(batch, lanes)

    @property
    def _chooses(self) -> bool:
        """Whether the criterion looks at the choice among label words."""
        return bool(self.label_tokens) and sees_labels(self.criterion)

    @cached_property
    def _label_tokens(self) -> Tensor:
        return torch.tensor(self.label_tokens, device=self.parameters.buffer.device)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.model, self._trunk)

    def _quick(self) -> AbstractContextManager[None]:
        return nullcontext() if self._compiled is None else self._compiled.used()
