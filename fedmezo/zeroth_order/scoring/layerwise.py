"""Scoring of all parameters at the memory of inference: each layer is perturbed as it is read.

Before a decoder layer (or the embedding, a norm, the head) computes, its perturbed weights are made in a scratch buffer
of its size, and it computes with them; its own are never written to. There is no second copy of the model.

In half precision the copies are fp32; where both signs share a forward, linear layers have no copies but a direction to
multiply by (:func:`fedmezo.models.half_precision.perturbed_product`).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.pytorch_utils import Conv1D

from fedmezo.core.cache import cache_folder
from fedmezo.core.log import LOG
from fedmezo.data.batches import on_device
from fedmezo.models.blocks import causal_model
from fedmezo.models.flat_parameters import FlatParameters, Span
from fedmezo.models.half_precision import Pairing, as_rows, half_class, pairing_of, perturbed_product
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.backup import backed_up
from fedmezo.zeroth_order.scoring.batching import lane_batches
from fedmezo.zeroth_order.scoring.forward_override import forward_override
from fedmezo.zeroth_order.scoring.pair_split import UnsplittableError, check_rows, check_splittable, joined, rows_of
from fedmezo.zeroth_order.scoring.response_logits import MOST_LOGITS
from fedmezo.zeroth_order.scoring.scorer import Request, Scorer, Total

MOST_ELEMENTS = 1 << 22  # of the head that are perturbed at a time
MOST_TOKENS = 1024  # of both signs in one forward


def obstacle(model: nn.Module, parameters: FlatParameters) -> str | None:
    """Return why parameters cannot be perturbed as they are read; None where all of a model's are trained."""
    if isinstance(model, PeftModel):
        return "an adapter is trained"
    if sum(parameter.numel() for parameter in model.parameters()) != parameters.size:
        return "some parameters are not trained"
    if len({parameter.device for parameter in model.parameters()}) > 1:
        return "the model spans several devices"
    return None


class LayerwiseScorer(Scorer):
    """Losses of lanes around the point that the model stands at (:func:`obstacle` is None).

    Both signs of a direction go through a layer one after the other, so that the direction is made once for both.
    """

    manner = "each layer perturbed as it is read, for both signs of a direction"
    in_place = True
    most_logits = sys.maxsize  # the head is perturbed once

    def __init__(self, model: nn.Module, parameters: FlatParameters, *rest: Any, **others: Any) -> None:
        super().__init__(model, parameters, *rest, **others)
        spans = {span.name: span for span in parameters.spans}
        self._spans = {id(parameter): spans[name] for name, parameter in model.named_parameters()}
        self._pairing = pairing_of(model)
        if self._pairing is not None:
            self.most_logits = MOST_LOGITS
        self._layers, self._leaves = list(_modules(model)), list(_modules(model, within_layers=True))
        self.folder: Path | None = None  # where the point is backed up
        self._scratch: Tensor | None = None
        self._held: tuple[Span, int] | None = None  # of which z is in it
        self._copy_dtype = parameters.buffer.dtype if self._pairing is None else torch.float32
        self._both_signs = True
        self._examples = 0  # of a sign, in the forward that is under way
        self._tokens = torch.empty(0)  # of that forward, or of each of its lanes, on the host

    @property
    def shares_rounding(self) -> bool:
        """Whether products are in half precision, of one sign and of the difference of both."""
        return self._pairing is not None

    @contextmanager
    def restoring(self, point: Tensor) -> Iterator[None]:
        """Let the point [d], which is the model's own buffer, be moved inside the block; it is back afterwards."""
        with backed_up(point, self.folder or cache_folder()):
            yield

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        found = [[Total(0.0, 0)] * len(request.lanes) for request in requests]
        try:
            self._fill(found, requests, MOST_TOKENS if self._both_signs else 0)
        except UnsplittableError as error:
            LOG.debug("scoring: one sign after the other, because %s", error)
            self._both_signs = False
            self._fill(found, requests, 0)
        return found

    def _fill(self, found: list[list[Total]], requests: Sequence[Request], most_tokens: int) -> None:
        paired = self._both_signs and self._pairing is not None
        for lane_batch in lane_batches(requests, most_tokens, always_paired=paired, most_units=1):
            request, number = lane_batch.lanes[0]
            point, lane = requests[request].point, requests[request].lanes[number]
            batch, signs = lane_batch.batch(requests), len(lane_batch.lanes)
            self._examples, self._tokens = len(batch.labels) // signs, batch.input_ids
            with self.at(point), self._perturbed(lane, signs):
                totals = self.totals(batch, lanes=signs)
            for index, total in zip(lane_batch.lanes, totals, strict=True):
                found[index.request][index.lane] = total

    @contextmanager
    def _perturbed(self, lane: Lane, signs: int) -> Iterator[None]:
        """Have the model compute at a lane; with two signs the second half of a batch is at its mirror."""
        if not lane.scale and self._pairing is None:
            yield
            return
        pairing = self._pairing if signs > 1 else None
        with ExitStack() as stack:
            if pairing is not None:
                stack.enter_context(pairing.on())
            for module in self._layers if pairing is None else self._leaves:
                if type(module) is nn.Embedding:
                    forward: Callable[..., Any] = self._embedding(module, lane, signs)
                elif pairing is not None and isinstance(module, nn.Linear | Conv1D):
                    forward = self._pairs(module, lane, pairing)
                elif type(module) in (nn.Linear, half_class(nn.Linear)):
                    forward = self._linear(cast(nn.Linear, module), lane, signs)
                else:
                    forward = self._layer(module, lane, signs)
                stack.enter_context(forward_override(module, forward))
            yield

    def _layer(self, module: nn.Module, lane: Lane, signs: int) -> Callable[..., Any]:
        """Return a module's forward pass whose parameters are perturbed copies of themselves while it computes."""
        own = sorted(set(module.parameters()), key=lambda parameter: self._span(parameter).start)
        forward = module.forward

        def perturbed(*args: Any, **kwargs: Any) -> Any:
            if signs > 1 and isinstance(module, GradientCheckpointingLayer):
                check_splittable(module, args, kwargs)
            elif signs > 1 and self._pairing is not None:
                check_rows(module, [*args, *kwargs.values()], {1, signs * self._examples})
            values = [parameter.data for parameter in own]
            found = []
            try:
                for sign, copies in enumerate(self._copies([self._span(each) for each in own], lane, signs)):
                    for parameter, copy in zip(own, copies, strict=True):
                        parameter.data = copy
                    rows = slice(sign * self._examples, (sign + 1) * self._examples)
                    every = signs * self._examples
                    found.append(forward(*rows_of(args, rows, every), **rows_of(kwargs, rows, every)))
            finally:
                for parameter, value in zip(own, values, strict=True):
                    parameter.data = value
            return joined(found, self._examples)

        return perturbed

    def _embedding(self, module: nn.Embedding, lane: Lane, signs: int) -> Callable[..., Any]:
        """Return an embedding's forward pass that perturbs the rows it needs."""
        first, width = self._span(module.weight).start, module.embedding_dim

        def forward(ids: Tensor) -> Any:
            known = module is causal_model(self.model).get_input_embeddings() and ids.shape == self._tokens.shape
            used, inverse = torch.unique(self._tokens if known else ids.cpu(), return_inverse=True)
            numbers, inverse = used.tolist(), on_device(inverse, ids.device)
            rows, copies = module.weight.data[on_device(used, ids.device)], self._room(signs, len(used) * width)
            for row, number in enumerate(numbers):
                self._perturb(copies[:, row * width : (row + 1) * width], rows[row], first + number * width, lane)
            tables = copies.view(signs, len(used), width)
            if len(ids) == 1:  # positions, say, which are the same for all examples
                return joined([table[inverse] for table in tables], self._examples)
            return torch.cat([table[each] for table, each in zip(tables, inverse.chunk(signs), strict=True)])

        return forward

    def _linear(self, module: nn.Linear, lane: Lane, signs: int) -> Callable[[Tensor], Tensor]:
        """Return the forward pass of a layer of many outputs that perturbs some of them at a time."""
        first, width, weight = self._span(module.weight).start, module.in_features, module.weight.data
        step = max(1, MOST_ELEMENTS // width)

        def forward(x: Tensor) -> Tensor:
            y = x.new_empty(*x.shape[:-1], module.out_features)
            for start in range(0, module.out_features, step):
                part = weight[start : start + step]
                copies = self._room(signs, part.numel())
                self._perturb(copies, part.flatten(), first + start * width, lane)
                for copy, each, target in zip(copies, x.chunk(signs), y.chunk(signs), strict=True):
                    target[..., start : start + step] = each @ copy.view_as(part).T
            return self._with_bias(y, module, lane, signs)

        return forward

    def _pairs(self, module: nn.Linear | Conv1D, lane: Lane, pairing: Pairing) -> Callable[[Tensor], Tensor]:
        """Return the forward pass of a linear layer of both signs in half precision."""
        weight, span = module.weight.data, self._span(module.weight)

        def forward(x: Tensor) -> Tensor:
            check_rows(module, [x], {2, 2 * self._examples})
            z = self._direction(span, lane.key).view_as(weight)
            y = perturbed_product(x, as_rows(module, weight), as_rows(module, z), lane.scale, pairing)
            return self._with_bias(y, module, lane, 2)

        return forward

    def _with_bias(self, y: Tensor, module: nn.Linear | Conv1D, lane: Lane, signs: int) -> Tensor:
        """Add the perturbed biases of a linear layer to its outputs y, and return them."""
        if module.bias is not None:
            biases = torch.empty(signs, y.shape[-1], dtype=self._copy_dtype, device=y.device)
            self._perturb(biases, module.bias.data, self._span(module.bias).start, lane)
            for bias, target in zip(biases, y.chunk(signs), strict=True):
                target.add_(bias)
        return y

    def _copies(self, spans: list[Span], lane: Lane, signs: int) -> list[list[Tensor]]:
        """Return perturbed copies of some parameters, in flat order, for each sign."""
        scratch = self._room(signs, sum(span.stop - span.start for span in spans))
        done = 0
        for start, stop in _runs(spans):
            copies = scratch[:, done : done + stop - start]
            self._perturb(copies, self.parameters.buffer[start:stop], start, lane)
            done += stop - start
        sizes = [span.stop - span.start for span in spans]
        shapes = [span.shape for span in spans]
        return [[part.view(shape) for part, shape in zip(row.split(sizes), shapes, strict=True)] for row in scratch]

    def _perturb(self, copies: Tensor, source: Tensor, start: int, lane: Lane) -> None:
        """Write source + scale z into the first of the copies [signs, n], and source - scale z into the second."""
        if copies.dtype == torch.float32:
            mirror = copies[1] if len(copies) == 2 else None
            self.directions.add(copies[0], [lane.key], [lane.scale], start, source=source, factor=1.0, mirror=mirror)
            return
        for copy, scale in zip(copies, (lane.scale, -lane.scale)[: len(copies)], strict=True):
            self.directions.add(copy, [lane.key], [scale], start, source=source, factor=1.0)

    def _direction(self, span: Span, key: int) -> Tensor:
        """Return z(key) of a tensor, rounded to the parameters' dtype, in scratch memory.

        It is made once where it is asked for several times in a row: the head has its input in parts.
        """
        size, held = span.stop - span.start, self._held
        z = self._room(1, -(-size // 2))[0].view(self.parameters.buffer.dtype)[:size]
        if held != (span, key):
            self.directions.add(z.zero_(), [key], [1.0], span.start)
        self._held = (span, key)
        return z

    def _span(self, parameter: Tensor) -> Span:
        return self._spans[id(parameter)]

    def _room(self, signs: int, elements: int) -> Tensor:
        """Return scratch memory [signs, elements]; what was there before is done with."""
        self._held = None
        if self._scratch is None or self._scratch.numel() < signs * elements:
            self._scratch = torch.empty(signs * elements, dtype=self._copy_dtype, device=self.parameters.buffer.device)
        return self._scratch[: signs * elements].view(signs, elements)


def _runs(spans: list[Span]) -> list[tuple[int, int]]:
    """Return maximal runs (start, stop) of the flat index that spans in flat order cover."""
    runs: list[tuple[int, int]] = []
    for span in spans:
        if runs and runs[-1][1] == span.start:
            runs[-1] = (runs[-1][0], span.stop)
        else:
            runs.append((span.start, span.stop))
    return runs


def _modules(module: nn.Module, *, within_layers: bool = False) -> Iterator[nn.Module]:
    """Yield the modules of a model that hold all its parameters and compute one after the other.

    Layers are yielded whole, or where ``within_layers`` the modules in them.
    """
    direct = next(module.parameters(recurse=False), None) is not None
    if direct or (isinstance(module, GradientCheckpointingLayer) and not within_layers):
        yield module
        return
    for child in module.children():
        yield from _modules(child, within_layers=within_layers)
