"""What the trainable parameters are initially: each method's own distribution, from the portable generator."""

import math
import re
from collections.abc import Mapping

from torch import Size, Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.philox import philox
from fedmezo.core.randomness import stream_key
from fedmezo.models.adapters.methods import VIRTUAL_TOKENS, Method
from fedmezo.models.flat_parameters import FlatParameters, Span


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
    key = stream_key(seed, "init")
    shapes = {span.name: span.shape for span in parameters.spans}
    for span in parameters.spans:
        values = point[span.start : span.stop]
        deviation, constant = _of(method.normal, span), _of(method.constant, span)
        if prompt is not None and re.search(VIRTUAL_TOKENS, span.name):
            values.copy_(prompt.flatten())
        elif not values.any():
            continue  # zeros that were asked for
        elif deviation is not None:
            values.copy_(direction(key, span.start, span.stop)).mul_(deviation)
        elif constant is not None:
            values.fill_(constant)
        elif any(re.search(name, span.name) for name in method.uniform):
            bound = 1.0 / math.sqrt(_fan_in(span, shapes))
            values.copy_(_uniform(key, span.start, span.stop).mul_(bound))
    return point


def _of(numbers: Mapping[str, float], span: Span) -> float | None:
    """Return the number of the first regular expression that is in a parameter's name."""
    return next((number for name, number in numbers.items() if re.search(name, span.name)), None)


def _fan_in(span: Span, shapes: dict[str, Size]) -> int:
    """Return the square of one over the bound that torch draws a layer's weight or bias within."""
    if ".lstm_head." in span.name:
        return span.shape[0] // 4  # an LSTM's tensors have four gates of its hidden size
    return shapes[re.sub(r"bias$", "weight", span.name)][1]


def _uniform(key: int, start: int, stop: int) -> Tensor:
    """Return values in [-1, 1) by flat index: multiples of 2**-23, so exact in fp32."""
    words = philox(key, start // 4, -(-stop // 4) - start // 4).flatten()[start % 4 :][: stop - start]
    return ((words >> 8) - (1 << 23)).float().mul_(2.0**-23)
