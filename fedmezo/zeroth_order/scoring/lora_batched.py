"""Scoring in lanes: several parameter points of a LoRA adapter in one forward pass.

The base weights are read once for all lanes. The low-rank products of each lane's own A and B are batched, in the place
of the adapter's layers; nothing is written to the model. Lanes are rows of the batch dimension, lane by lane, so that
whatever the model does between its linear layers needs to know nothing of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from peft.tuners.lora import layer as lora
from torch import Tensor, nn

from fedmezo.models.flat_parameters import FlatParameters
from fedmezo.models.half_precision import pairing_of
from fedmezo.zeroth_order.scoring.batching import LaneBatch, lane_batches
from fedmezo.zeroth_order.scoring.scorer import Request, Scorer, Total

# of one forward over several lanes: more do not make products faster, only the peak higher
MOST_TOKENS = {"cpu": 1024, "cuda": 8192}
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


def factors_of(tensors: Mapping[str, Tensor], name: str, layer: Any) -> tuple[Tensor, Tensor]:
    """Return the factors A and B of a layer, of tensors by parameter name; its own where one is not trained."""
    down = tensors.get(f"{name}.lora_A.default.weight", layer.lora_A["default"].weight)
    up = tensors.get(f"{name}.lora_B.default.weight", layer.lora_B["default"].weight)
    return down, up


def product(x: Tensor, factor: Tensor) -> Tensor:
    """Return x [L, n, in] times a factor's transpose [out, in], or that of each lane [L, out, in]."""
    return torch.bmm(x, factor.mT) if factor.ndim == 3 else x @ factor.T


class LoraBatchedScorer(Scorer):
    """Losses of several lanes in one forward.

    The model's trainable parameters are factors of LoRA (:func:`obstacle` is None).
    """

    manner = "in lanes, both signs of a direction in one forward"

    def __init__(self, model: nn.Module, parameters: FlatParameters, *rest: Any, **others: Any) -> None:
        super().__init__(model, parameters, *rest, **others)
        spans = {span.name: span for span in parameters.spans}
        names = sorted({found[1] for span in spans if (found := _FACTOR.fullmatch(span))})
        modules = dict(model.named_modules())
        self._layers: dict[str, Any] = {name: modules[name] for name in names}
        self._pairing = pairing_of(model)
        self._memory: Tensor | None = None
        self.share(1)

    def share(self, clients: int) -> None:
        """Let a forward hold the lanes of so many clients."""
        self.most_tokens = clients * MOST_TOKENS.get(self.parameters.buffer.device.type, MOST_TOKENS["cuda"])

    @property
    def shares_rounding(self) -> bool:
        """Whether products are in half precision, of one sign and of the difference of both."""
        return self._pairing is not None

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        found = [[Total(0.0, 0)] * len(request.lanes) for request in requests]
        for lane_batch in lane_batches(requests, self.most_tokens, always_paired=self._pairing is not None):
            for (request, lane), total in zip(lane_batch.lanes, self._forward(requests, lane_batch), strict=True):
                found[request][lane] = total
        return found

    def _forward(self, requests: Sequence[Request], lane_batch: LaneBatch) -> list[Total]:
        with self._overridden(self._points(requests, lane_batch)), self._pairs(lane_batch.paired):
            return self.totals(lane_batch.batch(requests), lanes=len(lane_batch.lanes))

    def _points(self, requests: Sequence[Request], lane_batch: LaneBatch) -> Tensor:
        """Return the lanes of a forward [L, d], in memory that the next one takes over."""
        count = len(lane_batch.lanes)
        if self._memory is None or len(self._memory) < count:
            self._memory = torch.empty(count, self.parameters.size, device=self.parameters.buffer.device)
        points = self._memory[:count]
        above = count // 2 if lane_batch.paired else count
        for row, (request, number) in enumerate(lane_batch.lanes[:above]):
            key, scale = requests[request].lanes[number]
            point = requests[request].point
            if scale:
                mirror = points[above + row] if lane_batch.paired else None
                self.directions.add(points[row], [key], [scale], source=point, factor=1.0, mirror=mirror)
            else:
                points[row] = point
        return points

    def _pairs(self, paired: bool) -> AbstractContextManager[None]:
        return self._pairing.on() if paired and self._pairing is not None else nullcontext()

    @contextmanager
    def _overridden(self, points: Tensor) -> Iterator[None]:
        """Have the adapter's layers compute with the factors of ``points`` [L, d] inside the block."""
        factors = {
            span.name: points[:, span.start : span.stop].view(len(points), *span.shape)
            for span in self.parameters.spans
        }
        try:
            for name, layer in self._layers.items():
                layer.down, layer.up = factors_of(factors, name, layer)
                layer.__class__ = _LaneLinear
            yield
        finally:
            for layer in self._layers.values():
                layer.__class__ = lora.Linear
                vars(layer).pop("down", None)
                vars(layer).pop("up", None)


class _LaneLinear(lora.Linear):  # type: ignore[misc]
    """A layer of LoRA that computes with factors of its own for each lane: ``down`` [L, r, in], ``up`` [L, out, r].

    One that is not trained is the same for all lanes, and has no first dimension.

    A class, and no function put in the layer's place, so that a compiler sees all layers alike.
    """

    down: Tensor
    up: Tensor

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return base(x) + scaling * B A x; x [L * B, T, in] has the lanes' examples one after the other."""
        y: Tensor = self.base_layer(x)
        lanes, scaling = len(self.down if self.down.ndim == 3 else self.up), self.scaling["default"]
        inside = product(x.reshape(lanes, -1, x.shape[-1]).to(self.down.dtype), self.down)  # [L, B * T, r]
        plain = y.view(lanes, -1, y.shape[-1])
        if plain.dtype != self.down.dtype or self.up.ndim == 2:
            return plain.add_(product(inside, self.up).to(plain.dtype), alpha=scaling).view_as(y)
        return torch.baddbmm(plain, inside, self.up.mT, alpha=scaling).view_as(y)
