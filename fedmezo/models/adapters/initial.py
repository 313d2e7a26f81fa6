"""What the trainable parameters are initially: each method's own distribution, from the portable generator."""

import math
import re
from collections.abc import Mapping

from torch import Size, Tensor, nn

from fedmezo.core.directions import direction
from fedmezo.core.directions.philox import philox
from fedmezo.core.randomness import stream_key
from fedmezo.models.adapters.methods import VIRTUAL_TOKENS, Method
from fedmezo.models.flat_parameters import FlatParameters


def initial_parameters(
    parameters: FlatParameters, method: type[Method], seed: int, prompt: Tensor | None = None
) -> Tensor:
    """Return the initial point [d].

    Where PEFT draws from torch's generator, and the method's row says how, the values come from the portable generator
    by flat index instead. What PEFT sets without drawing (zeros, ones, copies of the model's own parameters) stays as
    it is.

    Args:
        parameters: holding what PEFT has set.
        method: of PEFT.
        seed: of the run.
        prompt: embeddings that the virtual tokens start from instead [n, width]; None to draw them.
    """
    point = parameters.buffer.clone()
    shapes = {span.name: span.shape for span in parameters.spans}
    for span in parameters.spans:
        values = point[span.start : span.stop]
        if prompt is not None and re.search(VIRTUAL_TOKENS, span.name):
            values.copy_(prompt.flatten())
        else:
            _draw(values, span.name, span.start, method, shapes, stream_key(seed, "init"))
    return point


def freeze(model: nn.Module, names: str, method: type[Method], seed: int) -> int:
    """Have parameters not be trained, give them their initial values, drawn one after the other by name, and return
    how many tensors they are.

    Args:
        model: with an adapter.
        names: a regular expression for theirs.
        method: of PEFT.
        seed: of the run.
    """
    trained = sorted((name, own) for name, own in model.named_parameters() if own.requires_grad)
    chosen = [(name, own) for name, own in trained if re.search(names, name)]
    shapes, start = {name: own.shape for name, own in chosen}, 0
    for name, own in chosen:
        own.requires_grad_(False)
        values = own.data.flatten()
        _draw(values, name, start, method, shapes, stream_key(seed, "init", query=0))
        own.data.copy_(values.view_as(own))
        start += own.numel()
    return len(chosen)


def _draw(values: Tensor, name: str, start: int, method: type[Method], shapes: Mapping[str, Size], key: int) -> None:
    """Give a parameter [n] the values that its method has initially, where PEFT draws them.

    Args:
        values: holding what PEFT has set.
        name: of the parameter.
        start: index of its first element among all that have draws of the same key.
        method: of PEFT.
        shapes: of the parameters by name.
        key: of the draws.
    """
    deviation, constant, stop = _of(method.normal, name), _of(method.constant, name), start + len(values)
    if not values.any():
        return  # zeros that were asked for
    if deviation is not None:
        values.copy_(direction(key, start, stop)).mul_(deviation)
    elif constant is not None:
        values.fill_(constant)
    elif any(re.search(each, name) for each in method.uniform):
        values.copy_(_uniform(key, start, stop).mul_(1.0 / math.sqrt(_fan_in(name, shapes))))


def _of(numbers: Mapping[str, float], name: str) -> float | None:
    """Return the number of the first regular expression that is in a parameter's name."""
    return next((number for each, number in numbers.items() if re.search(each, name)), None)


def _fan_in(name: str, shapes: Mapping[str, Size]) -> int:
    """Return the square of one over the bound that torch draws a layer's weight or bias within."""
    if ".lstm_head." in name:
        return shapes[name][0] // 4  # an LSTM's tensors have four gates of its hidden size
    return shapes[re.sub(r"bias$", "weight", name)][1]


def _uniform(key: int, start: int, stop: int) -> Tensor:
    """Return values in [-1, 1) by flat index: multiples of 2**-23, so exact in fp32."""
    words = philox(key, start // 4, -(-stop // 4) - start // 4).flatten()[start % 4 :][: stop - start]
    return ((words >> 8) - (1 << 23)).float().mul_(2.0**-23)
