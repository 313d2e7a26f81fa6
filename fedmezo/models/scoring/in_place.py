"""Scoring of all parameters at the memory of inference: each layer is perturbed as it is read.

Before a decoder layer (or the embedding, a norm, the head) computes, its perturbed weights are made in a scratch buffer
of its size and stand in for its own, which are never written to. There is no second copy of the model.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from fedmezo.cache import cache_folder
from fedmezo.log import LOG
from fedmezo.models.flat import FlatParameters, Span
from fedmezo.models.kept_on_disk import kept_on_disk
from fedmezo.models.scoring.packing import packs
from fedmezo.models.scoring.scorer import Request, Scorer, Total
from fedmezo.models.stand_in import computing
from fedmezo.zeroth_order.estimators import Lane

MOST_ELEMENTS = 1 << 22  # of the head that are perturbed at a time
MOST_TOKENS = 1024  # of both signs in one forward
# arguments of decoder layers that have a row for every example, or one for all of them
DIVISIBLE = {"hidden_states", "attention_mask", "causal_mask", "position_ids", "position_embeddings", "cache_position"}


def obstacle(model: nn.Module, parameters: FlatParameters) -> str | None:
    """Return why parameters cannot be perturbed as they are read; None where all of a model's are trained."""
    if isinstance(model, PeftModel):
        return "an adapter is trained"
    if sum(parameter.numel() for parameter in model.parameters()) != parameters.size:
        return "some parameters are not trained"
    if len({parameter.device for parameter in model.parameters()}) > 1:
        return "the model spans several devices"
    return None


class InPlaceScorer(Scorer):
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
        self._units = list(_units(model))
        self.folder: Path | None = None  # where the point waits
        self._scratch: Tensor | None = None
        self._both_signs = True
        self._examples = 0  # of a sign, in the forward that is under way

    @contextmanager
    def restoring(self, point: Tensor) -> Iterator[None]:
        """Let the point [d], which is the model's own buffer, be moved inside the block; it is back afterwards."""
        with kept_on_disk(point, self.folder or cache_folder()):
            yield

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        found = [[Total(0.0, 0)] * len(request.lanes) for request in requests]
        try:
            self._fill(found, requests, MOST_TOKENS if self._both_signs else 0)
        except _UndividedError as error:
            LOG.debug("scoring: one sign after the other, because %s", error)
            self._both_signs = False
            self._fill(found, requests, 0)
        return found

    def _fill(self, found: list[list[Total]], requests: Sequence[Request], most_tokens: int) -> None:
        for pack in packs(requests, most_tokens, always_paired=False, most_units=1):
            request, number = pack.places[0]
            point, lane = requests[request].point, requests[request].lanes[number]
            batch, signs = pack.batch(requests), len(pack.places)
            self._examples = len(batch.labels) // signs
            with self.at(point), self._perturbed(lane, signs):
                totals = self.totals(batch, lanes=signs)
            for place, total in zip(pack.places, totals, strict=True):
                found[place.request][place.lane] = total

    @contextmanager
    def _perturbed(self, lane: Lane, signs: int) -> Iterator[None]:
        """Have the model compute at a lane; with two signs the second half of a batch is at its mirror."""
        if not lane.scale:
            yield
            return
        with ExitStack() as stack:
            for module in self._units:
                if type(module) is nn.Embedding:
                    forward: Callable[..., Any] = self._embedding(module, lane, signs)
                elif type(module) is nn.Linear:
                    forward = self._linear(module, lane, signs)
                else:
                    forward = self._layer(module, lane, signs)
                stack.enter_context(computing(module, forward))
            yield

    def _layer(self, module: nn.Module, lane: Lane, signs: int) -> Callable[..., Any]:
        """Return a module's forward pass whose parameters are perturbed copies of themselves while it computes."""
        own = sorted(set(module.parameters()), key=lambda parameter: self._span(parameter).start)
        forward = module.forward

        def perturbed(*args: Any, **kwargs: Any) -> Any:
            if signs > 1 and isinstance(module, GradientCheckpointingLayer):
                _check_divisible(module, args, kwargs)
            values = [parameter.data for parameter in own]
            found = []
            try:
                for sign, copies in enumerate(self._copies([self._span(each) for each in own], lane, signs)):
                    for parameter, copy in zip(own, copies, strict=True):
                        parameter.data = copy
                    rows = slice(sign * self._examples, (sign + 1) * self._examples)
                    every = signs * self._examples
                    found.append(forward(*_rows(args, rows, every), **_rows(kwargs, rows, every)))
            finally:
                for parameter, value in zip(own, values, strict=True):
                    parameter.data = value
            return _joined(found, self._examples)

        return perturbed

    def _embedding(self, module: nn.Embedding, lane: Lane, signs: int) -> Callable[..., Any]:
        """Return an embedding's forward pass that perturbs the rows it needs."""
        first, width = self._span(module.weight).start, module.embedding_dim

        def forward(ids: Tensor) -> Any:
            used, places = torch.unique(ids, return_inverse=True)
            rows, copies = module.weight.data[used], self._room(signs, len(used) * width)
            for row, number in enumerate(used.tolist()):
                self._perturb(copies[:, row * width : (row + 1) * width], rows[row], first + number * width, lane)
            tables = copies.view(signs, len(used), width)
            if len(ids) == 1:  # positions, say, which are the same for all examples
                return _joined([table[places] for table in tables], self._examples)
            return torch.cat([table[each] for table, each in zip(tables, places.chunk(signs), strict=True)])

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
            if module.bias is not None:
                biases = torch.empty(signs, module.out_features, device=x.device)
                self._perturb(biases, module.bias.data, self._span(module.bias).start, lane)
                for bias, target in zip(biases, y.chunk(signs), strict=True):
                    target.add_(bias)
            return y

        return forward

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
        mirror = copies[1] if len(copies) == 2 else None
        self.directions.add(copies[0], [lane.key], [lane.scale], start, source=source, factor=1.0, mirror=mirror)

    def _span(self, parameter: Tensor) -> Span:
        return self._spans[id(parameter)]

    def _room(self, signs: int, elements: int) -> Tensor:
        """Return scratch memory [signs, elements]; what was there before is done with."""
        if self._scratch is None or self._scratch.numel() < signs * elements:
            self._scratch = torch.empty(signs * elements, device=self.parameters.buffer.device)
        return self._scratch[: signs * elements].view(signs, elements)


def _rows(value: Any, rows: slice, every: int) -> Any:
    """Return some examples of a layer's arguments: of each tensor that has a row for every example."""
    if isinstance(value, Tensor):
        return value[rows] if value.ndim > 1 and len(value) == every else value
    if isinstance(value, tuple):
        return tuple(_rows(each, rows, every) for each in value)
    if isinstance(value, dict):
        return {name: _rows(each, rows, every) for name, each in value.items()}
    return value


class _UndividedError(Exception):
    """A layer takes a tensor that may or may not have a row for every example."""


def _check_divisible(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Make sure that it is known which of a layer's arguments have a row for every example.

    Raises:
        _UndividedError: one is not (the position biases of BLOOM and MPT have rows for heads).
    """
    bound = inspect.signature(type(layer).forward).bind(layer, *args, **kwargs).arguments
    rest = bound.pop("kwargs", {})
    for name, value in (bound | rest).items():
        tensors = value if isinstance(value, tuple) else (value,)
        if name not in DIVISIBLE and any(isinstance(each, Tensor) for each in tensors):
            raise _UndividedError(f"{type(layer).__name__} takes {name}")


def _joined(found: list[Any], examples: int) -> Any:
    """Return the outputs of all signs as one, each with a row for every example of its sign."""
    if len(found) == 1:
        return found[0]
    if isinstance(found[0], Tensor):
        return torch.cat([each.expand(examples, *each.shape[1:]) for each in found])
    if isinstance(found[0], tuple):
        return tuple(_joined(list(each), examples) for each in zip(*found, strict=True))
    return found[0]


def _runs(spans: list[Span]) -> list[tuple[int, int]]:
    """Return maximal runs (start, stop) of the flat index that spans in flat order cover."""
    runs: list[tuple[int, int]] = []
    for span in spans:
        if runs and runs[-1][1] == span.start:
            runs[-1] = (runs[-1][0], span.stop)
        else:
            runs.append((span.start, span.stop))
    return runs


def _units(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a model that hold all its parameters and compute one after the other."""
    direct = next(module.parameters(recurse=False), None) is not None
    if direct or isinstance(module, GradientCheckpointingLayer):
        yield module
        return
    for child in module.children():
        yield from _units(child)
