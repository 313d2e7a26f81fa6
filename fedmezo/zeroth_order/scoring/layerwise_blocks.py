"""Scoring of all parameters in blocks of layers: a lane is perturbed in its block, above it lanes share the weights.

In its block a lane has perturbed copies of a layer while it is computed, as in :mod:`.layerwise`. In half precision a
linear layer multiplies the first lane, the unperturbed point, and the differences of the others from it, and adds the
direction's product to a lane inside its block: y_k = W x_0 - (W (x_0 - x_k) - s z x_k).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
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
from fedmezo.zeroth_order.scoring.layerwise import MOST_TOKENS, LayerwiseScorer
from fedmezo.zeroth_order.scoring.pair_split import UnsplittableError, rows_of
from fedmezo.zeroth_order.scoring.response_logits import MOST_LOGITS
from fedmezo.zeroth_order.scoring.scorer import Request, Total

Inside = Mapping[int, Lane]  # by position among the lanes of a forward


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
        names = {id(own): name for name, own in self.model.named_parameters()}
        self._block = {module: blocks.of[names[id(next(module.parameters()))]] for module in found}
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
        self._examples = len(request.batch.labels)

        def forward(ascent: Ascent, lanes: Sequence[Lane]) -> list[Total]:
            with self._in_blocks(ascent, lanes), ascent.on():
                return self.totals(ascent.rows(request.batch), lanes=len(lanes))

        with self.at(request.point):
            return self._forwards.totals(request.lanes, request.batch, MOST_TOKENS, forward)

    @contextmanager
    def _in_blocks(self, ascent: Ascent, lanes: Sequence[Lane]) -> Iterator[None]:
        """Have the modules of each block compute with perturbed parameters for the lanes that are inside of it."""
        inside: dict[int, dict[int, Lane]] = {}
        for position, lane in enumerate(lanes):
            if lane.scale:
                inside.setdefault(self.directions.block(lane.key), {})[position] = lane
        with ExitStack() as stack:
            for module, block in self._block.items():
                if block in inside:
                    stack.enter_context(forward_override(module, self._shared(module, inside[block], ascent)))
            yield

    def _shared(self, module: nn.Module, inside: Inside, ascent: Ascent) -> Callable[..., Any]:
        """Return a module's forward pass for all lanes, of which some are inside its block."""
        if self._pairing is not None and isinstance(module, nn.Linear | Conv1D):
            return self._product(module, inside, self._pairing)
        plain = module.forward
        perturbed = {position: self._forward(module, lane) for position, lane in inside.items()}

        def forward(*args: Any, **kwargs: Any) -> Any:
            every = self._rows(module, (*args, *kwargs.values()), ascent.lanes)
            found = []
            for rows, position in _portions(ascent.lanes, perturbed):
                compute = plain if position is None else perturbed[position]
                one = every // ascent.lanes  # rows of a lane; none where all lanes are given the same
                own = slice(rows.start * one, rows.stop * one) if one else slice(None)
                output = compute(*rows_of(args, own, every), **rows_of(kwargs, own, every))
                found.append(output if one else _expanded(output, (rows.stop - rows.start) * self._examples))
            return _together(found)

        return forward

    def _rows(self, module: nn.Module, values: Sequence[Any], lanes: int) -> int:
        """Return how many rows a module is given, which are those of some lanes, or one for all of them.

        Raises:
            UnsplittableError: they are others.
        """
        every = len(next(each for each in values if isinstance(each, Tensor)))
        if every not in {1, lanes, lanes * self._examples}:
            raise UnsplittableError(f"{type(module).__name__} takes other rows than examples")
        return every

    def _forward(self, module: nn.Module, lane: Lane) -> Callable[..., Any]:
        """Return the forward pass of a module at a lane."""
        if type(module) is nn.Embedding:
            return self._embedding(module, lane, 1)
        if type(module) is nn.Linear:
            return self._linear(module, lane, 1)
        return self._layer(module, lane, 1)

    def _product(self, module: nn.Linear | Conv1D, inside: Inside, pairing: Pairing) -> Callable[[Tensor], Tensor]:
        """Return the forward pass of a linear layer in half precision."""
        weight, span = as_rows(module, module.weight.data), self._span(module.weight)

        def forward(x: Tensor) -> Tensor:
            self._rows(module, [x], pairing.lanes)
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


def _portions(lanes: int, inside: Iterable[int]) -> Iterator[tuple[range, int | None]]:
    """Yield the positions of lanes that compute together, in order, and of one inside the block which it is."""
    start = 0
    for position in sorted(inside):
        if start < min(position, lanes):
            yield range(start, min(position, lanes)), None
        if position < lanes:
            yield range(position, position + 1), position
        start = position + 1
    if start < lanes:
        yield range(start, lanes), None


def _expanded(output: Tensor, rows: int) -> Tensor:
    return output.expand(rows, *output.shape[1:])


def _together(found: list[Any]) -> Any:
    """Return the outputs of lanes as one."""
    if isinstance(found[0], tuple):
        return tuple(_together(list(each)) for each in zip(*found, strict=True))
    if not isinstance(found[0], Tensor):
        return found[0]
    dtype = torch.float32 if any(each.dtype == torch.float32 for each in found) else found[0].dtype
    return found[0] if len(found) == 1 else torch.cat([each.to(dtype) for each in found])
