"""Lanes that join a forward on its way up, each where its block begins: below it is computed once for all of them.

A forward has rows lane by lane, each lane with all examples of the batch. It begins with the unperturbed point, or
where an earlier forward of the same batch has left its states, and is joined by a lane before the first layer of its
block. In its block a lane computes with parameters of its own; above it with those of the unperturbed point, as all
lanes do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, cat, nn

from fedmezo.data.batches import Batch
from fedmezo.models.half_precision import Pairing
from fedmezo.zeroth_order.scoring.forward_override import forward_override
from fedmezo.zeroth_order.scoring.pair_split import check_splittable


@dataclass
class States:
    """What an unperturbed forward of a batch leaves for later ones.

    Args:
        wanted: the layers before which states are kept; the number of layers: after the last one.
        before: the states [B, T, H] by layer.
        as_tuple: whether layers give their output in a tuple.
    """

    wanted: frozenset[int]
    before: dict[int, Tensor] = field(default_factory=dict)
    as_tuple: bool = False


class Ascent:
    """A forward of some lanes.

    Args:
        layers: of the decoder, from below.
        joins: the layer before which each lane joins, ascending; -1 for those that are there from the beginning.
        examples: B of the batch.
        states: of the unperturbed point; a forward whose first lane is that point, from the beginning, fills them.
        pairing: of a model in half precision, whose products are those of the first lane and of differences to it.

    Attributes:
        examples: of the batch.
        lanes: how many there are in the forward now.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        joins: Sequence[int],
        examples: int,
        states: States,
        pairing: Pairing | None = None,
    ) -> None:
        self._layers = layers
        self._joins = list(joins)
        self.examples = examples
        self._states = states
        self._pairing = pairing
        self._first = self._joins[0]
        self._repeated: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}  # an argument, and it for all lanes
        self.lanes = 0

    def rows(self, batch: Batch) -> Batch:
        """Return the batch that goes into the model: the examples [B, T], once for each lane of the beginning."""
        lanes = self._joins.count(self._first)
        ids, mask, labels = (each.repeat(lanes, 1) for each in (batch.input_ids, batch.attention_mask, batch.labels))
        return Batch(ids, mask, labels, np.tile(batch.indices, lanes))

    @contextmanager
    def on(self) -> Iterator[None]:
        """Have the layers compute so inside the block."""
        with ExitStack() as stack:
            if self._pairing is not None:
                stack.enter_context(self._pairing.on(1))
            self._count(self._joins.count(self._first))
            for number, layer in enumerate(self._layers):
                stack.enter_context(forward_override(layer, self._layer(number, layer)))
            yield

    def _layer(self, number: int, layer: nn.Module) -> Callable[..., Any]:
        forward, end = layer.forward, len(self._layers)

        def ascending(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
            if number >= self._first:
                check_splittable(layer, (hidden, *args), kwargs)
                output = forward(self._joined(hidden, number), *self._for_all(args), **self._for_all(kwargs))
                self._states.as_tuple = isinstance(output, tuple)
                hidden = output[0] if self._states.as_tuple else output
            if number == end - 1:
                hidden = self._joined(hidden, end)
            return (hidden,) if self._states.as_tuple else hidden

        return ascending

    def _joined(self, hidden: Tensor, number: int) -> Tensor:
        """Return the rows before a layer, with those of the lanes that begin there."""
        if number == self._first:
            hidden = self._states.before[number].repeat(self._joins.count(number), 1, 1)
        elif number in self._states.wanted and number not in self._states.before:
            self._states.before[number] = hidden[: self.examples].clone()
        joining = self._joins.count(number) if number != self._first else 0
        if joining:
            hidden = cat([hidden, *[self._states.before[number]] * joining])
        self._count(len(hidden) // self.examples)
        return hidden

    def _count(self, lanes: int) -> None:
        self.lanes = lanes
        if self._pairing is not None:
            self._pairing.lanes = lanes

    def _for_all(self, value: Any) -> Any:
        """Return a layer's arguments for the lanes there are now: their examples are those of the first one."""
        if isinstance(value, tuple):
            return tuple(map(self._for_all, value))
        if isinstance(value, dict):
            return {name: self._for_all(each) for name, each in value.items()}
        if not isinstance(value, Tensor) or value.ndim < 2 or len(value) == 1:
            return value
        key = id(value), self.lanes
        if key not in self._repeated:
            rows = value[: self.examples]
            self._repeated[key] = value, rows.repeat(self.lanes, *[1] * (rows.ndim - 1))
        return self._repeated[key][1]
