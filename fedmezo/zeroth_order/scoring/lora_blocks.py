"""Scoring of LoRA in blocks of layers: a lane begins at its block, with what the layers below make of the point."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import layer as lora
from torch import Tensor

from fedmezo.models.blocks import Blocks, decoder_layers
from fedmezo.models.flat_parameters import Span
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.ascent import Ascent
from fedmezo.zeroth_order.scoring.blockwise import BlockForwards
from fedmezo.zeroth_order.scoring.lora_batched import LoraBatchedScorer, factors_of, product
from fedmezo.zeroth_order.scoring.scorer import Request, Total


class LoraBlocksScorer(LoraBatchedScorer):
    """Losses of lanes in blocks of layers, several in one forward.

    Args:
        blocks: of the trainable parameters.
    """

    manner = "in lanes, each from the first layer of its block"

    def __init__(self, *rest: Any, blocks: Blocks, **others: Any) -> None:
        super().__init__(*rest, **others)
        self._blocks = blocks
        self._forwards = BlockForwards(
            decoder_layers(self.model), lambda key: blocks.starts[self.directions.block(key)], self._pairing
        )

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        return [self._of(request) for request in requests]

    def _of(self, request: Request) -> list[Total]:
        def forward(ascent: Ascent, lanes: Sequence[Lane]) -> list[Total]:
            with self._ascending(ascent, request.point, lanes), ascent.on():
                return self.totals(ascent.rows(request.batch), lanes=len(lanes))

        return self._forwards.totals(request.lanes, request.batch, self.most_tokens, forward)

    @contextmanager
    def _ascending(self, ascent: Ascent, point: Tensor, lanes: Sequence[Lane]) -> Iterator[None]:
        """Have the adapter's layers compute with the factors of the point, and those of a lane in its block."""
        base = self.parameters.tensors(point)
        own = {span.name: self._factors(span, point, lanes) for span in self.parameters.spans}
        try:
            for name, layer in self._layers.items():
                layer.ascent = ascent
                layer.base = factors_of(base, name, layer)
                layer.own = factors_of(own, name, layer)
                layer.__class__ = _AscendingLinear
            yield
        finally:
            for layer in self._layers.values():
                layer.__class__ = lora.Linear
                for each in ("ascent", "base", "own"):
                    vars(layer).pop(each, None)

    def _factors(self, span: Span, point: Tensor, lanes: Sequence[Lane]) -> Tensor:
        """Return a factor of LoRA at those of some lanes whose block it is in, [n, ...]."""
        block = self._blocks.of[span.name]
        inside = [lane for lane in lanes if lane.scale and self.directions.block(lane.key) == block]
        found = torch.empty(len(inside), span.stop - span.start, device=point.device)
        source = point[span.start : span.stop]
        for row, lane in zip(found, inside, strict=True):
            self.directions.add(row, [lane.key], [lane.scale], span.start, source=source, factor=1.0)
        return found.view(len(inside), *span.shape)


class _AscendingLinear(lora.Linear):  # type: ignore[misc]
    """A layer of LoRA whose last lanes have factors of their own: ``own`` of n lanes, ``base`` of those before.

    A factor that is not trained is the same for all, and has no dimension for lanes.
    """

    ascent: Ascent
    base: tuple[Tensor, Tensor]
    own: tuple[Tensor, Tensor]

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return base_layer(x) + scaling * B A x; x [L * B, T, in] has the lanes' examples one after the other."""
        y: Tensor = self.base_layer(x)
        (down, up), (own_down, own_up), scaling = self.base, self.own, self.scaling["default"]
        inside = x.reshape(self.ascent.lanes, -1, x.shape[-1]).to(down.dtype)
        whole = y.view(self.ascent.lanes, -1, y.shape[-1])
        own = max(len(each) for each in self.own if each.ndim == 3)
        shared = self.ascent.lanes - own
        if shared:
            rows = whole[:shared].flatten(0, 1)
            rows.add_((inside[:shared].flatten(0, 1) @ down.T @ up.T).to(y.dtype), alpha=scaling)
        if own:
            lanes = product(product(inside[shared:], own_down), own_up)
            whole[shared:].add_(lanes.to(y.dtype), alpha=scaling)
        return y
