"""The trainable parameters as one flat buffer: fp32, or bf16 where a model trained as a whole is its own master.

The parameters of the model become views into the buffer, in the order of their names, so that a parameter point is
one vector and copying it in is one copy. Only where a model spans several devices are there copies: parameters on other
devices than the buffer's are written from it, and read back where backpropagation has changed them.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import torch
from torch import Tensor, nn

from fedmezo.core.errors import ConfigurationError
from fedmezo.models.mapped import forget_pages, mapped_files, return_freed_memory

T = TypeVar("T")


@dataclass(frozen=True)
class Span:
    """One parameter tensor inside the flat vector."""

    name: str
    start: int
    stop: int
    shape: torch.Size
    decays: bool


class FlatParameters:
    """Flat view of a model's trainable parameters, sorted by name.

    Args:
        model: its parameters that require a gradient are moved into ``buffer``.
        device: of the buffer; the first parameter's if left out.

    Attributes:
        buffer: fp32 or bf16 [d], the point that the model stands at.
        spans: one per tensor, in flat order.

    Raises:
        ConfigurationError: there is nothing to train, or trainable parameters are neither all fp32 nor all bf16.
    """

    def __init__(self, model: nn.Module, device: torch.device | None = None) -> None:
        trainable = sorted((name, p) for name, p in model.named_parameters() if p.requires_grad)
        if not trainable:
            raise ConfigurationError("llm.adapter.args leaves nothing to train")
        self.spans = _spans(trainable)
        self.size = self.spans[-1].stop
        self.buffer = torch.empty(self.size, dtype=_dtype(trainable), device=device or trainable[0][1].device)
        self._remote: list[tuple[Tensor, nn.Parameter]] = []
        files = mapped_files()
        for (_, parameter), view in zip(trainable, self.tensors(self.buffer).values(), strict=True):
            view.copy_(parameter.data)
            if parameter.device == self.buffer.device:
                forget_pages(parameter.data, files)
                parameter.data = view
            else:
                self._remote.append((view, parameter))
        return_freed_memory()

    def write(self, point: Tensor) -> None:
        """Bring the model to a point [d]."""
        self.buffer.copy_(point)
        for view, parameter in self._remote:
            parameter.data.copy_(view)

    def gather(self) -> Tensor:
        """Return the buffer [d], with what has changed on other devices."""
        for view, parameter in self._remote:
            view.copy_(parameter.data)
        return self.buffer

    def layout_hash(self) -> str:
        """Return a hash of names, shapes and order: equal hashes mean that flat vectors are exchangeable."""
        layout = "\n".join(f"{span.name} {tuple(span.shape)}" for span in self.spans)
        return hashlib.blake2b(layout.encode(), digest_size=16).hexdigest()

    def tensors(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the tensors of a flat vector [d] by name, as views."""
        return {span.name: vector[span.start : span.stop].view(span.shape) for span in self.spans}

    def flatten(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return the flat vector [d] of tensors by name; a missing name or another shape raises KeyError/ValueError."""
        vector = torch.empty_like(self.buffer)
        for span in self.spans:
            tensor = tensors[span.name]
            if tensor.shape != span.shape:
                raise ValueError(f"{span.name} has shape {tuple(tensor.shape)}, expected {tuple(span.shape)}")
            vector[span.start : span.stop] = tensor.flatten()
        return vector

    def runs(self, value: Callable[[Span], T]) -> tuple[tuple[int, int, T], ...]:
        """Return maximal runs (start, stop, value) of the flat index on which a function of the spans is the same."""
        found = []
        for own, group in groupby(self.spans, value):
            spans = list(group)
            found.append((spans[0].start, spans[-1].stop, own))
        return tuple(found)

    def decay_runs(self) -> tuple[tuple[int, int, bool], ...]:
        """Return maximal runs (start, stop, decays) of the flat index with and without weight decay."""
        return self.runs(lambda span: span.decays)


def _dtype(trainable: list[tuple[str, nn.Parameter]]) -> torch.dtype:
    """Return the dtype of trainable parameters, if all have one that can be trained."""
    found = {parameter.dtype for _, parameter in trainable}
    if found in ({torch.float32}, {torch.bfloat16}):
        return found.pop()
    name, dtype = next((name, each.dtype) for name, each in trainable if each.dtype != torch.float32)
    raise ConfigurationError(
        f"train.is_enable_half\n    {name} is {dtype}: trainable parameters must be float32, or all of them bfloat16"
    )


def _spans(trainable: list[tuple[str, nn.Parameter]]) -> tuple[Span, ...]:
    spans, start = [], 0
    for name, parameter in trainable:
        stop = start + parameter.numel()
        # biases and norms do not decay (MeZO, and the field's custom); both have one dimension
        spans.append(Span(name, start, stop, parameter.shape, decays=parameter.ndim > 1))
        start = stop
    return tuple(spans)
