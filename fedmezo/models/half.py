"""Half precision that keeps the signal: fp32 activations, half-precision products, and pairs that share their rounding.

A projected gradient is a difference of two nearly equal losses, and what rounds the two apart is noise. In half
precision the noise of the activations is as large as the difference. Here everything between the linear layers is
fp32, and a linear layer does not multiply x+ and x- (the activations of theta + mu z and theta - mu z) by its weights,
but their sum and their difference, which by linearity is the same: W x+- = (W (x+ + x-) +- W (x+ - x-)) / 2. The
products are in half precision, at the same cost; the rounding of the sum is common to both signs, and the difference, a
small number of its own, is rounded relative to itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

_ATTRIBUTE = "_fedmezo_pairing"


class Pairing:
    """Whether the batch dimension of a model's activations holds pairs now: x+ in its first half, x- in its second."""

    def __init__(self) -> None:
        self.active = False
        self._last: tuple[Tensor, Tensor] | None = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Treat activations as pairs inside the block."""
        self.active = True
        try:
            yield
        finally:
            self.active = False
            self._last = None

    def split(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return sums and differences of the pairs of x [2n, ...], in half precision [2, n, ...]."""
        if self._last is None or self._last[0] is not x:  # queries, keys and values have the same input
            above, below = x.chunk(2)
            both = torch.empty((2, *above.shape), dtype=dtype, device=x.device)
            torch.add(above, below, out=both[0])
            torch.sub(above, below, out=both[1])
            self._last = (x, both)
        return self._last[1]


def join(y: Tensor) -> Tensor:
    """Return the pairs, fp32 [2n, ...], whose sums and differences are y [2, n, ...]."""
    total, difference = y.float()
    pairs = torch.empty((2, *total.shape), device=y.device)
    torch.add(total, difference, out=pairs[0])
    torch.sub(total, difference, out=pairs[1])
    return pairs.mul_(0.5).flatten(0, 1)


def with_half_products(model: PreTrainedModel) -> PreTrainedModel:
    """Have a model of half-precision weights compute as described above, in place.

    Weights of linear layers and embeddings stay in half precision; all other parameters become fp32.
    """
    pairing = Pairing()
    setattr(model, _ATTRIBUTE, pairing)
    for module in model.modules():
        if isinstance(module, nn.Linear | Conv1D):
            # where a model spans devices, accelerate has wrapped forward to move its input
            forward = "_old_forward" if hasattr(module, "_hf_hook") else "forward"
            setattr(module, forward, partial(_product, module, isinstance(module, Conv1D), pairing))
            module.bias = None if module.bias is None else nn.Parameter(module.bias.float(), requires_grad=False)
        elif isinstance(module, nn.Embedding):
            module.register_forward_hook(lambda embedding, inputs, output: output.float())
        else:
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.float()
    return model


def pairing_of(model: nn.Module) -> Pairing | None:
    """Return the pairing of a model, or of the one inside an adapter; None where its products are exact."""
    found = (getattr(module, _ATTRIBUTE, None) for module in model.modules())
    return next((pairing for pairing in found if isinstance(pairing, Pairing)), None)


def _product(layer: nn.Module, transposed: bool, pairing: Pairing, x: Tensor) -> Tensor:
    """Return the layer's output in fp32."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor) and (bias is None or isinstance(bias, Tensor))
    weight = weight.T if transposed else weight
    if pairing.active:
        y = join(functional.linear(pairing.split(x, weight.dtype), weight))
    else:
        y = functional.linear(x.to(weight.dtype), weight).float()
    return y if bias is None else y + bias
