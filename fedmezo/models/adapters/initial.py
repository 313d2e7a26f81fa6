"""What the trainable parameters are initially: each method's own distribution, from the portable generator."""

import math
import re

from torch import Size, Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.philox import philox
from fedmezo.core.randomness import stream_key
from fedmezo.models.flat_parameters import FlatParameters, Span

_VIRTUAL_TOKENS = r"^prompt_encoder\.[^.]+\.embedding\.weight$"
_NORMAL = re.compile(rf"{_VIRTUAL_TOKENS}|\.lora_embedding_B\.")
_UNIFORM = re.compile(r"\.lora_A\.|^prompt_encoder\.")


def initial_parameters(parameters: FlatParameters, seed: int, prompt: Tensor | None = None) -> Tensor:
    """Return the initial point [d].

    Where PEFT draws from torch's global generator (embeddings normal; LoRA's A and the layers of a prompt encoder
    uniform within 1/sqrt(fan in)) the values come from the portable generator by flat index instead. What PEFT sets
    without drawing (LoRA's B, DoRA's magnitudes, IA3's ones, zeroed prefixes, copies of the model's own parameters)
    stays as it is.

    Args:
        parameters: holding what PEFT has set.
        seed: of the run.
        prompt: embeddings that the virtual tokens start from instead [n, width]; None to draw them.
    """
    point = parameters.buffer.clone()
    key = stream_key(seed, "init")
    shapes = {span.name: span.shape for span in parameters.spans}
    for span in parameters.spans:
        values = point[span.start : span.stop]
        if prompt is not None and re.search(_VIRTUAL_TOKENS, span.name):
            values.copy_(prompt.flatten())
        elif span.name.startswith("prompt_encoder.") and not values.any():
            continue  # zeros that were asked for
        elif _NORMAL.search(span.name):
            values.copy_(direction(key, span.start, span.stop))
        elif _UNIFORM.search(span.name):
            bound = 1.0 / math.sqrt(_fan_in(span, shapes))
            values.copy_(_uniform(key, span.start, span.stop).mul_(bound))
    return point


def _fan_in(span: Span, shapes: dict[str, Size]) -> int:
    """Return the square of one over the bound that torch draws a layer's weight or bias within."""
    if ".lstm_head." in span.name:
        return span.shape[0] // 4  # an LSTM's tensors have four gates of its hidden size
    return shapes[re.sub(r"bias$", "weight", span.name)][1]


def _uniform(key: int, start: int, stop: int) -> Tensor:
    """Return values in [-1, 1) by flat index: multiples of 2**-23, so exact in fp32."""
    words = philox(key, start // 4, -(-stop // 4) - start // 4).flatten()[start % 4 :][: stop - start]
    return ((words >> 8) - (1 << 23)).float().mul_(2.0**-23)
