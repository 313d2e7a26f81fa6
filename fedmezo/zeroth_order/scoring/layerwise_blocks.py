"""Scoring of all parameters in blocks of layers: a lane is perturbed in its block, above it lanes share the weights.

In its block a lane has perturbed copies of a layer while it is computed, as in :mod:`.layerwise`. In half precision a
linear layer multiplies the first lane, the unperturbed point, and the differences of the others from it, and adds the
direction's product to a lane inside its block: y_k = W x_0 - (W (x_0 - x_k) - s z x_k).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from fedmezo.core.log import LOG
from fedmezo.models.blocks import Blocks, decoder_layers
from fedmezo.models.half_precision import Pairing, as_rows, join
from fedmezo.zeroth_order.estimators import Lane
from fedmezo.zeroth_order.scoring.ascent import Ascent
from fedmezo.zeroth_order.scoring.blockwise import BlockForwards
from fedmezo.zeroth_order.scoring.forward_override import forward_override
from fedmezo.zeroth_order.scoring.lanes_apart import Inside, apart, by_block, check_lane_rows
from fedmezo.zeroth_order.scoring.layerwise import MOST_TOKENS, LayerwiseScorer
from fedmezo.zeroth_order.scoring.pair_split import UnsplittableError
from fedmezo.zeroth_order.scoring.response_logits import MOST_LOGITS
from fedmezo.zeroth_order.scoring.scorer import Request, Total


class LayerwiseBlocksScorer(LayerwiseScorer):
    """Losses of lanes in blocks of layers around the point that the model stands at.

    Args:
        blocks: of the parameters.
    """

    manner = "each layer of a lane's block perturbed as it is read, each lane from the first layer of its block"

    def __init__(self, *rest: Any, blocks: Blocks, **others: Any) -> None:
        super().__init__(*rest, **others)
        self.most_logits = MOST_LOGITS
        self._forwards = BlockForwards(
            decoder_layers(self.model), lambda key: blocks.starts[self.directions.block(key)], self._pairing
        )
        found = self._layers if self._pairing is None else self._leaves
        self._block = blocks.of_modules(self.model, found)
        self._shares = True  # whether what modules are given can be divided into lanes

    def _totals(self, requests: Sequence[Request]) -> list[list[Total]]:
        try:
            if self._shares:
                return [self._of(request) for request in requests]
        except UnsplittableError as error:
            LOG.warning(f"zo.blocks: each forward runs the whole model, because {error}")
            self._shares = False
        return super()._totals(requests)

    def _of(self, request: Request) -> list[Total]:
        self._examples, self._tokens = len(request.batch.labels), request.batch.input_ids

        def forward(ascent: Ascent, lanes: Sequence[Lane]) -> list[Total]:
            with self._in_blocks(ascent, lanes), ascent.on():
                return self.totals(ascent.rows(request.batch), lanes=len(lanes))

        with self.at(request.point):
            return self._forwards.totals(request.lanes, request.batch, MOST_TOKENS, forward)

    @contextmanager
    def _in_blocks(self, ascent: Ascent, lanes: Sequence[Lane]) -> Iterator[None]:
        """Have the modules of each block compute with perturbed parameters for the lanes that are inside of it."""
        inside = by_block(lanes, self.directions)
        with ExitStack() as stack:
            for module, block in self._block.items():
                if block in inside:
                    stack.enter_context(forward_override(module, self._shared(module, inside[block], ascent)))
            yield

    def _shared(self, module: nn.Module, inside: Inside, ascent: Ascent) -> Callable[..., Any]:
        """Return a module's forward pass for all lanes, of which some are inside its block."""
        if self._pairing is not None and isinstance(module, nn.Linear | Conv1D):
            return self._product(module, inside, self._pairing, ascent)
        perturbed = {position: self._forward(module, lane) for position, lane in inside.items()}
        return apart(module, perturbed, ascent)

    def _forward(self, module: nn.Module, lane: Lane) -> Callable[..., Any]:
        """Return the forward pass of a module at a lane."""
        if type(module) is nn.Embedding:
            return self._embedding(module, lane, 1)
        if type(module) is nn.Linear:
            return self._linear(module, lane, 1)
        return self._layer(module, lane, 1)

    def _product(
        self, module: nn.Linear | Conv1D, inside: Inside, pairing: Pairing, ascent: Ascent
    ) -> Callable[[Tensor], Tensor]:
        """Return the forward pass of a linear layer in half precision."""
        weight, span = as_rows(module, module.weight.data), self._span(module.weight)

        def forward(x: Tensor) -> Tensor:
            check_lane_rows(module, [x], ascent)
            parts = pairing.split(x, weight.dtype)
            y, lanes = functional.linear(parts, weight), x.chunk(pairing.lanes)
            for position, lane in inside.items():
                z = as_rows(module, self._direction(span, lane.key).view_as(module.weight))
                own = lanes[position].to(weight.dtype).flatten(0, -2)
                y[position].flatten(0, -2).addmm_(own, z.T, alpha=-lane.scale)
            found = join(y)
            if module.bias is not None:
                found += module.bias.data.float()
                for position, lane in inside.items():
                    z = self.directions.values(lane.key, *self._places(module.bias), found.device)
                    found.chunk(pairing.lanes)[position].add_(z, alpha=lane.scale)
            return found

        return forward

    def _places(self, parameter: Tensor) -> tuple[int, int]:
        span = self._span(parameter)
        return span.start, span.stop
