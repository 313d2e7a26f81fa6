"""Scoring of all parameters at the memory of inference: each layer is perturbed as it is read.

Before a decoder layer (or the embedding, a norm, the head) computes, its perturbed weights are made in a scratch buffer
of its size and stand in for its own, which are never written to. There is no second copy of the model.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_layers import GradientCheckpointingLayer

from fedmezo.data.batches import Batch
from fedmezo.models.flat import FlatParameters, Span
from fedmezo.models.kept_on_disk import kept_on_disk
from fedmezo.models.scoring.scorer import Request, Scorer, Total
from fedmezo.models.stand_in import computing
from fedmezo.zeroth_order.estimators import Lane

MOST_ELEMENTS = 1 << 22  # of the head that are perturbed at a time


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
    """Losses of one lane after the other around the point that the model stands at (:func:`obstacle` is None)."""

    manner = "one point after the other, each layer perturbed as it is read"
    in_place = True
    most_logits = sys.maxsize  # the head is perturbed once

    def __init__(self, model: nn.Module, parameters: FlatParameters, *rest: Any, **others: Any) -> None:
        super().__init__(model, parameters, *rest, **others)
        spans = {span.name: span for span in parameters.spans}
        self._spans = {id(parameter): spans[name] for name, parameter in model.named_parameters()}
        self._units = list(_units(model))
        self._scratch: Tensor | None = None

    @contextmanager
    def restoring(self, point: Tensor) -> Iterator[None]:
        """Let the point [d], which is the model's own buffer, be moved inside the block; it is back afterwards."""
        with kept_on_disk(point):
            yield

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        return [[self._total_at(point, lane, batch) for lane in lanes] for point, lanes, batch in requests]

    def _total_at(self, point: Tensor, lane: Lane, batch: Batch) -> Total:
        with self.at(point), self._perturbed(lane):
            return self.totals(batch)[0]

    @contextmanager
    def _perturbed(self, lane: Lane) -> Iterator[None]:
        if not lane.scale:
            yield
            return
        with ExitStack() as stack:
            for module in self._units:
                if type(module) is nn.Embedding:
                    stack.enter_context(computing(module, self._embedding(module, lane)))
                elif type(module) is nn.Linear:
                    stack.enter_context(computing(module, self._linear(module, lane)))
                else:
                    self._swap_around(module, lane, stack)
            yield

    def _swap_around(self, module: nn.Module, lane: Lane, stack: ExitStack) -> None:
        """Have a module's parameters be perturbed copies of themselves while it computes."""
        own = {parameter: parameter.data for parameter in module.parameters()}

        def before(*_: Any) -> None:
            scratch = self._room(sum(values.numel() for values in own.values()))
            for parameter, values in own.items():
                copy, scratch = scratch[: values.numel()], scratch[values.numel() :]
                self._perturb(copy, values.flatten(), self._span(parameter).start, lane)
                parameter.data = copy.view_as(values)

        def after(*_: Any) -> None:
            for parameter, values in own.items():
                parameter.data = values

        stack.callback(after)
        stack.callback(module.register_forward_pre_hook(before).remove)
        stack.callback(module.register_forward_hook(after).remove)

    def _embedding(self, module: nn.Embedding, lane: Lane) -> Callable[[Tensor], Tensor]:
        """Return an embedding's forward pass that perturbs the rows it needs."""
        span, width = self._span(module.weight), module.embedding_dim

        def forward(ids: Tensor) -> Tensor:
            used, places = torch.unique(ids, return_inverse=True)
            rows = module.weight.data[used]
            for row, number in zip(rows, used.tolist(), strict=True):
                self.directions.add(row, [lane.key], [lane.scale], span.start + number * width)
            return functional.embedding(places, rows)

        return forward

    def _linear(self, module: nn.Linear, lane: Lane) -> Callable[[Tensor], Tensor]:
        """Return the forward pass of a layer of many outputs that perturbs some of them at a time."""
        span, weight = self._span(module.weight), module.weight.data
        rows = max(1, MOST_ELEMENTS // module.in_features)

        def forward(x: Tensor) -> Tensor:
            y = x.new_empty(*x.shape[:-1], module.out_features)
            for first in range(0, module.out_features, rows):
                part = weight[first : first + rows]
                copy = self._room(part.numel())
                self._perturb(copy, part.flatten(), span.start + first * module.in_features, lane)
                y[..., first : first + rows] = x @ copy.view_as(part).T
            return y if module.bias is None else y + self._bias(module.bias, lane)

        return forward

    def _bias(self, bias: Tensor, lane: Lane) -> Tensor:
        copy = torch.empty_like(bias.data)
        self._perturb(copy, bias.data, self._span(bias).start, lane)
        return copy

    def _span(self, parameter: Tensor) -> Span:
        return self._spans[id(parameter)]

    def _perturb(self, target: Tensor, source: Tensor, start: int, lane: Lane) -> None:
        self.directions.add(target, [lane.key], [lane.scale], start, source=source)

    def _room(self, elements: int) -> Tensor:
        """Return scratch memory; what was there before is done with."""
        if self._scratch is None or self._scratch.numel() < elements:
            self._scratch = torch.empty(elements, device=self.parameters.buffer.device)
        return self._scratch[:elements]


def _units(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a model that hold all its parameters and compute one after the other."""
    direct = next(module.parameters(recurse=False), None) is not None
    if direct or isinstance(module, GradientCheckpointingLayer):
        yield module
        return
    for child in module.children():
        yield from _units(child)
