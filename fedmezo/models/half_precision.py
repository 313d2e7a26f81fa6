"""Half precision that keeps the signal: fp32 activations, half-precision products, and pairs that share their rounding.

A projected gradient is a difference of two nearly equal losses, and what rounds the two apart is noise. In half
precision the noise of the activations is as large as the difference. Here everything between the linear layers is
fp32, and a linear layer does not multiply x+ and x- (the activations of theta + mu z and theta - mu z) by its weights,
but x+ and their difference, which by linearity is the same: W x- = W x+ - W (x+ - x-). The products are in half
precision, at the same cost; the rounding of the first is common to both signs, and the difference, a small number of
its own, is rounded relative to itself.

Where weights themselves are perturbed, (W + mu z) x+ and (W - mu z) x- are made of three products: of W with the mean
and the difference of x+ and x-, and of z with the mean. So mu z is never rounded beside a weight that is much larger.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

_ATTRIBUTE = "_fedmezo_pairing"


class Pairing:
    """How many lanes the batch dimension of a model's activations holds now, one after the other.

    A pair has two, x+ and x-. With fewer nothing is shared.
    """

    def __init__(self) -> None:
        self.lanes = 1
        self._last: tuple[Tensor, Tensor] | None = None

    @contextmanager
    def on(self, lanes: int = 2) -> Iterator[None]:
        """Treat activations as those of some lanes inside the block."""
        self.lanes = lanes
        try:
            yield
        finally:
            self.lanes = 1
            self._last = None

    def split(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the first lane of x [L n, ...] and its differences from the others, in half precision [L, n, ...]."""
        if torch.compiler.is_compiling():
            return _exchanged(x.view(self.lanes, -1, *x.shape[1:])).to(dtype)
        if self._last is None or self._last[0] is not x:  # queries, keys and values have the same input
            first, *others = x.chunk(self.lanes)
            parts = torch.empty((self.lanes, *first.shape), dtype=dtype, device=x.device)
            parts[0].copy_(first)
            for part, other in zip(parts[1:], others, strict=True):
                part.copy_(first - other)
            self._last = (x, parts)
        return self._last[1]

    def centred(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return m, the mean of x+ and x-, and x+ - m of the pairs x [2n, ...], in half precision [2, n, ...]."""
        if self._last is None or self._last[0] is not x:
            above, below = x.chunk(2)
            parts = x.new_empty((2, *above.shape))
            torch.sub(above, torch.lerp(above, below, 0.5, out=parts[0]), out=parts[1])
            self._last = (x, parts.to(dtype))
        return self._last[1]


def join(y: Tensor) -> Tensor:
    """Return the lanes, fp32 [L n, ...], of which the first and its differences from the others are y [L, n, ...]."""
    exact = y.float()
    if torch.compiler.is_compiling():
        return _exchanged(exact).flatten(0, 1)
    torch.sub(exact[:1], exact[1:], out=exact[1:])
    return exact.flatten(0, 1)


def _exchanged(x: Tensor) -> Tensor:
    """Return (a, a - b) of x = (a, b) [L, ...]; of pairs as one elementwise formula, which a compiler can fuse."""
    if len(x) != 2:
        return torch.cat((x[:1], x[:1] - x[1:]))
    second = torch.arange(2, dtype=x.dtype, device=x.device).view(2, *[1] * (x.ndim - 1))
    return torch.addcmul(x[:1], second, x[1:], value=-1)


class _HalfProduct(nn.Module):
    """A linear layer with weights in half precision whose output is fp32."""

    pairing: Pairing
    weight: Tensor
    bias: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        weight = as_rows(self, self.weight)
        if self.pairing.lanes > 1:
            y = join(functional.linear(self.pairing.split(x, weight.dtype), weight))
        else:
            y = functional.linear(x.to(weight.dtype), weight).float()
        return y if self.bias is None else y + self.bias


def as_rows(layer: nn.Module, weight: Tensor) -> Tensor:
    """Return the weight of a linear layer with a row for each output."""
    return weight.T if isinstance(layer, Conv1D) else weight


def perturbed_product(x: Tensor, weight: Tensor, z: Tensor, scale: float, pairing: Pairing) -> Tensor:
    """Return (W + scale z) x+ and (W - scale z) x- of the pairs x, fp32 [2n, ..., out].

    With m the mean of x+ and x-, and d half their difference, these are W m + (W d + scale z m) and W m - (...), but
    for scale z d: of second order, the same for both, and left out.

    Args:
        x: pairs, fp32 [2n, ..., in].
        weight: W, half precision [out, in].
        z: in half precision [out, in].
        scale: of z.
        pairing: splits x.
    """
    parts = pairing.centred(x, weight.dtype)
    y = functional.linear(parts, weight)
    y[1].flatten(0, -2).addmm_(parts[0].flatten(0, -2), z.T, alpha=scale)
    found = y.float()
    torch.sub(found[0].add_(found[1]), found[1], alpha=2, out=found[1])
    return found.flatten(0, 1)


@cache
def half_class(kind: type[nn.Module]) -> type[nn.Module]:
    """Return a class of linear layers with another forward pass; a class, so that a compiler sees all layers alike."""
    return type(f"Half{kind.__name__}", (_HalfProduct, kind), {})


def with_half_products(model: PreTrainedModel, *, whole: bool = False) -> PreTrainedModel:
    """Have a model of half-precision weights compute as described above, in place.

    Weights of linear layers and embeddings stay in half precision; all other parameters become fp32.

    Args:
        model: as it was loaded.
        whole: all of it is to be trained, so that everything stays in half precision: other parameters are fp32 while
            their module computes.
    """
    pairing = Pairing()
    setattr(model, _ATTRIBUTE, pairing)
    for module in model.modules():
        if isinstance(module, nn.Linear | Conv1D):
            kind: Any = type(module)
            _become(module, half_class(kind))
            module.pairing = pairing
            if module.bias is not None and not whole:
                module.bias = nn.Parameter(module.bias.float(), requires_grad=False)
        elif isinstance(module, nn.Embedding):
            module.register_forward_hook(lambda embedding, inputs, output: output.float())
        elif whole and next(module.parameters(recurse=False), None) is not None:
            own: Any = type(module)
            module.__class__ = _widened_class(own)
        else:
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.float()
    return model


def with_plain_products(model: PreTrainedModel) -> PreTrainedModel:
    """Have the linear layers of a model of half-precision weights take inputs of any dtype, in place.

    The model computes in half precision as it is; only what an adapter makes is in fp32.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | Conv1D):
            own: Any = type(module)
            _become(module, _narrowing_class(own))
    return model


def _become(module: Any, kind: type[nn.Module]) -> None:
    """Have a module compute as another class does."""
    module.__class__ = kind
    if hasattr(module, "_hf_hook"):  # where a model spans devices, accelerate has wrapped forward
        module._old_forward = MethodType(kind.forward, module)


@cache
def _narrowing_class(kind: type[nn.Module]) -> type[nn.Module]:
    """Return a class of linear layers that round their input to the dtype of their weight."""

    def forward(self: Any, x: Tensor) -> Any:
        return kind.forward(self, x.to(self.weight.dtype))

    return type(f"Narrowing{kind.__name__}", (kind,), {"forward": forward})


@cache
def _widened_class(kind: type[nn.Module]) -> type[nn.Module]:
    """Return a class of modules whose own parameters are fp32 copies of themselves in the forward pass."""

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        own = list(self.parameters(recurse=False))
        kept = [parameter.data for parameter in own]
        try:
            for parameter in own:
                parameter.data = parameter.data.float()
            return kind.forward(self, *args, **kwargs)
        finally:  # after an interrupt, too, of which a hook would not be told
            for parameter, values in zip(own, kept, strict=True):
                parameter.data = values

    return type(f"Widened{kind.__name__}", (kind,), {"forward": forward})


def pairing_of(model: nn.Module) -> Pairing | None:
    """Return the pairing of a model, or of the one inside an adapter; None where its products are exact."""
    found = (getattr(module, _ATTRIBUTE, None) for module in model.modules())
    return next((pairing for pairing in found if isinstance(pairing, Pairing)), None)
