"""Scoring of any adapter in blocks of layers: in its block, each lane goes through a layer by itself."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from fedmezo.models.blocks import Blocks, causal_model, decoder_layers
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.ascent import Ascent
from fedmezo.zeroth_order.scoring.blockwise import BlockForwards
from fedmezo.zeroth_order.scoring.copy_in import CopyInScorer
from fedmezo.zeroth_order.scoring.forward_override import forward_override
from fedmezo.zeroth_order.scoring.lanes_apart import apart, by_block
from fedmezo.zeroth_order.scoring.lora_batched import MOST_TOKENS
from fedmezo.zeroth_order.scoring.scorer import Request, Total


class AdapterBlocksScorer(CopyInScorer):
    """Losses of lanes in blocks of layers, around a point that is copied into the model.

    Args:
        blocks: of the trainable parameters, none of which computes before the layers.
    """

    manner = "the point copied into the model, each lane from the first layer of its block"

    def __init__(self, *rest: Any, blocks: Blocks, **others: Any) -> None:
        super().__init__(*rest, **others)
        layers = decoder_layers(self.model)
        self._forwards = BlockForwards(layers, lambda key: blocks.starts[self.directions.block(key)])
        within = {id(module) for layer in layers for module in layer.modules()}
        after = [
            module
            for module in causal_model(self.model).modules()
            if id(module) not in within and any(own.requires_grad for own in module.parameters(recurse=False))
        ]
        self._block = blocks.of_modules(self.model, (*layers, *after))
        self._spans = {id(self.model.get_parameter(span.name)): span for span in self.parameters.spans}

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        return [self._of(request) for request in requests]

    def _of(self, request: Request) -> list[Total]:
        most = MOST_TOKENS.get(request.point.device.type, MOST_TOKENS["cuda"])
        with self.at(request.point):
            return self._forwards.totals(
                request.lanes, request.batch, most, lambda ascent, lanes: self._computed(ascent, lanes, request)
            )

    def _computed(self, ascent: Ascent, lanes: Sequence[Lane], request: Request) -> list[Total]:
        inside = by_block(lanes, self.directions)
        with ExitStack() as stack:
            for module, block in self._block.items():
                if block in inside:
                    perturbed = {i: self._perturbed(module, lane, request.point) for i, lane in inside[block].items()}
                    stack.enter_context(forward_override(module, apart(module, perturbed, ascent)))
            stack.enter_context(ascent.on())
            return self.totals(ascent.rows(request.batch), lanes=len(lanes))

    def _perturbed(self, module: nn.Module, lane: Lane, point: Tensor) -> Callable[..., Any]:
        """Return a module's forward pass whose trainable parameters are those of a lane."""
        forward, own = module.forward, [parameter for parameter in module.parameters() if parameter.requires_grad]
        spans = [self._spans[id(parameter)] for parameter in own]
        moved = [torch.empty_like(point[span.start : span.stop]) for span in spans]
        for span, values in zip(spans, moved, strict=True):
            source = point[span.start : span.stop]
            self.directions.add(values, [lane.key], [lane.scale], span.start, source=source, factor=1.0)

        def at_the_lane(*args: Any, **kwargs: Any) -> Any:
            before = [parameter.data for parameter in own]
            try:
                for parameter, values, span in zip(own, moved, spans, strict=True):
                    parameter.data = values.view(span.shape)
                return forward(*args, **kwargs)
            finally:
                for parameter, data in zip(own, before, strict=True):
                    parameter.data = data

        return at_the_lane
