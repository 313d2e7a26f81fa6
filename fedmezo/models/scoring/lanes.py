"""Scoring in lanes: several parameter points of a LoRA adapter in one forward pass.

The base weights are read once for all lanes. The low-rank products of each lane's own A and B are batched, in the place
of the adapter's layers; nothing is written to the model. Lanes are rows of the batch dimension, lane by lane, so that
whatever the model does between its linear layers needs to know nothing of them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from peft.tuners.lora import layer as lora
from torch import Tensor, nn

from fedmezo.criteria import Criterion
from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import Batch
from fedmezo.models.flat import FlatParameters
from fedmezo.models.half import pairing_of
from fedmezo.models.scoring.responses import respond
from fedmezo.models.scoring.swap import Scorer

MOST_TOKENS = 1024  # of one forward over several lanes; more do not make products faster, only the peak higher
_FACTOR = re.compile(r"(.+)\.lora_([AB])\.default\.weight")


def obstacle(model: nn.Module, parameters: FlatParameters) -> str | None:
    """Return why an adapter cannot be scored in lanes; None where it can: plain LoRA on linear layers."""
    modules = dict(model.named_modules())
    for span in parameters.spans:
        found = _FACTOR.fullmatch(span.name)
        if found is None:
            return f"{span.name} is no factor of LoRA"
        layer = modules[found[1]]
        if type(layer) is not lora.Linear or layer.lora_variant or layer.merged:
            return f"{found[1]} is not plain LoRA on a linear layer"
    if len({parameter.device for parameter in model.parameters()}) > 1:
        return "the model spans several devices"
    return None


class LaneScorer(Scorer):
    """Losses of parameter points, several of them in one forward.

    Args:
        model: whose trainable parameters are factors of LoRA (:func:`obstacle` is None).
        parameters: the trainable ones.
        criterion: what training minimises.
    """

    manner = "in lanes, both signs of a direction in one forward"

    def __init__(self, model: nn.Module, parameters: FlatParameters, criterion: Criterion = cross_entropy) -> None:
        super().__init__(model, parameters, criterion)
        spans = {span.name: span for span in parameters.spans}
        names = sorted({found[1] for span in spans if (found := _FACTOR.fullmatch(span))})
        modules = dict(model.named_modules())
        self._layers = {name: modules[name] for name in names}
        self._pairing = pairing_of(model)

    @property
    def shares_rounding(self) -> bool:
        """Whether products are in half precision, of the sum and the difference of both signs."""
        return self._pairing is not None

    @torch.inference_mode()
    def losses(self, points: Tensor, batch: Batch, *, antithetic: bool = False) -> list[float]:
        """Return the loss of each of several points on one batch; see :meth:`Scorer.losses`."""
        lanes, half = len(points), len(points) // 2
        paired = antithetic and self._pairing is not None
        room = max(1, MOST_TOKENS // batch.input_ids.numel())
        if antithetic and (paired or room > 1):
            groups = [[*range(i, e), *range(half + i, half + e)] for i, e in _chunks(half, max(1, room // 2))]
        else:
            groups = [list(range(i, e)) for i, e in _chunks(lanes, room)]
        found = [0.0] * lanes
        for group in groups:
            rows = points if len(group) == lanes else points[group]
            for lane, loss in zip(group, self._forward(rows, batch, paired), strict=True):
                found[lane] = loss
        return found

    def _forward(self, points: Tensor, batch: Batch, paired: bool) -> list[float]:
        lanes = len(points)
        wide = Batch(
            batch.input_ids.repeat(lanes, 1),
            batch.attention_mask.repeat(lanes, 1),
            batch.labels.repeat(lanes, 1),
            batch.indices,
        )
        with self._standing_in(points), self._pairs(paired):
            said = respond(self.model, wide)
        tokens = len(said.labels) // lanes
        labels, rows = said.labels[:tokens], said.rows[:tokens]
        logits = said.logits.view(lanes, tokens, -1)
        return [self.criterion(lane, labels, rows).double().mean().item() for lane in logits]

    @contextmanager
    def _pairs(self, paired: bool) -> Iterator[None]:
        if paired and self._pairing is not None:
            with self._pairing.on():
                yield
        else:
            yield

    @contextmanager
    def _standing_in(self, points: Tensor) -> Iterator[None]:
        """Have the adapter's layers compute with the factors of ``points`` [L, d] inside the block."""
        factors = {
            span.name: points[:, span.start : span.stop].view(len(points), *span.shape)
            for span in self.parameters.spans
        }
        try:
            for name, layer in self._layers.items():
                down, up = (factors[f"{name}.lora_{letter}.default.weight"] for letter in "AB")
                layer.forward = partial(_forward, layer.base_layer, down, up, layer.scaling["default"])
            yield
        finally:
            for layer in self._layers.values():
                layer.__dict__.pop("forward", None)


def _forward(base: nn.Module, down: Tensor, up: Tensor, scaling: float, x: Tensor) -> Tensor:
    """Return base(x) + scaling * B A x, with each lane's own A [L, r, in] and B [L, out, r]; x has L * B rows."""
    y: Tensor = base(x)
    lanes = len(down)
    inside = torch.bmm(x.view(lanes, -1, x.shape[-1]).to(down.dtype), down.mT)  # [L, B * T, r]
    plain = y.view(lanes, -1, y.shape[-1])
    if plain.dtype != down.dtype:
        return plain.add_(torch.bmm(inside, up.mT).to(plain.dtype), alpha=scaling).view_as(y)
    return torch.baddbmm(plain, inside, up.mT, alpha=scaling).view_as(y)


def _chunks(number: int, size: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + size, number)) for begin in range(0, number, size)]
