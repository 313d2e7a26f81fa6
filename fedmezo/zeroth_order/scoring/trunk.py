"""The trunk: the decoder layers below the first one that is trained; all of them, where only what follows is trained.

What comes out of it for an example is the same during a whole run, so it is computed once and kept. Each example goes
through it alone, without padding, so that its states depend on nothing but the example: not on batches, on their order,
or on what has been forgotten.
"""

import itertools
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from fedmezo.core.log import LOG
from fedmezo.data.batches import IGNORED, Batch, on_device
from fedmezo.models.blocks import causal_model, decoder_layers
from fedmezo.zeroth_order.scoring.forward_override import forward_override

MOST_BYTES = 1 << 30  # of states that are kept
CLOSE = 1e-4  # of the largest state
PROBE = 8  # tokens, of an example that shows whether a model is a plain chain of layers


class Trunk:
    """Keeps what frozen layers make of examples.

    Args:
        model: a causal language model of transformers, or a PEFT model around one, in eval mode.
        layers: the first layers of its decoder, at least one, none of which is trained.
        whole: whether these are all layers: what follows looks at each position alone, so that only those that predict
            a response token are kept.
        most_bytes: of states; the oldest are forgotten, and computed anew where they are needed.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[nn.Module], *, whole: bool = False, most_bytes: int = MOST_BYTES
    ) -> None:
        self.layers = list(layers)
        self._decoder = causal_model(model).get_decoder()
        self._device: torch.device = causal_model(model).get_input_embeddings().weight.device
        self._whole = whole
        self._most_bytes = most_bytes
        self._states: dict[int, Tensor] = {}  # of an example, by index: [T, H]
        self._as_tuple = False  # how a layer gives its output

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Compute what is not kept of some batches. All of theirs is kept until others have something to compute."""
        rows = {int(index): (batch, row) for batch in batches for row, index in enumerate(batch.indices)}
        missing = [index for index in rows if index not in self._states]
        if missing:
            self._forget_but(rows)
        for index in missing:
            batch, row = rows[index]
            length = int(batch.attention_mask[row].sum())
            states = self._computed(on_device(batch.input_ids[row : row + 1, :length], self._device))
            self._states[index] = states[self._starts(batch)[row] :].clone()

    @contextmanager
    def passed(self, batch: Batch) -> Iterator[Batch]:
        """Have the layers pass on what is kept of the examples of a batch [B, T], instead of computing it.

        Gives the batch that is to go through the model: the positions that are kept, from the left.
        """
        self.prepare([batch])
        states = pad_sequence([self._states[int(index)] for index in batch.indices], batch_first=True)
        kept = _shifted(batch, self._starts(batch))
        with self._passing(functional.pad(states, (0, 0, 0, kept.labels.shape[1] - states.shape[1]))):
            yield kept

    @torch.inference_mode()
    def obstacle(self) -> str:
        """Return why kept states would not do; '' where they do."""
        tokens = torch.arange(1, 1 + PROBE, device=next(self._decoder.parameters()).device)[None]
        with _noting(module for module in self._decoder.modules() if _trained(module)) as computed:
            states = self._computed(tokens)
        if computed:
            return "what is trained comes before the layers"
        whole = self._decode(tokens)
        with self._passing(states[None]):
            parts = self._decode(tokens)
        tolerance = max(CLOSE, 8 * torch.finfo(whole.dtype).eps) * float(whole.abs().max())
        if not torch.allclose(whole, parts, rtol=0, atol=tolerance):
            return "layers need more of the layers below them than their output"
        return ""

    @contextmanager
    def _passing(self, states: Tensor) -> Iterator[None]:
        output = (states,) if self._as_tuple else states
        with ExitStack() as stack:
            for layer in self.layers:
                stack.enter_context(forward_override(layer, lambda *_, **__: output))
            yield

    def _decode(self, tokens: Tensor) -> Tensor:
        states: Tensor = self._decoder(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False
        ).last_hidden_state
        return states

    @torch.inference_mode(mode=False)  # backpropagation goes on from what is kept
    @torch.no_grad()
    def _computed(self, tokens: Tensor) -> Tensor:
        """Return the output of the last layer [T, H] for an example alone [1, T]."""
        seen: list[Any] = []

        def stop(module: nn.Module, inputs: Any, output: Any) -> None:
            seen.append(output)
            raise _DoneError

        hook, training = self.layers[-1].register_forward_hook(stop), self._decoder.training
        try:
            self._decoder.eval()
            self._decode(tokens)
        except _DoneError:
            pass
        finally:
            self._decoder.train(training)
            hook.remove()
        self._as_tuple = isinstance(seen[0], tuple)
        states: Tensor = seen[0][0] if self._as_tuple else seen[0]
        return states[0]

    def _starts(self, batch: Batch) -> Tensor:
        """Return the first position of each example that is kept, int64 [B]."""
        first = (batch.labels != IGNORED).int().argmax(dim=1)
        return (first - 1).clamp(min=0) if self._whole else torch.zeros_like(first)

    def _forget_but(self, needed: Container[int]) -> None:
        held = sum(states.nbytes for states in self._states.values())
        for index in [index for index in self._states if index not in needed]:
            if held <= self._most_bytes:
                return
            held -= self._states.pop(index).nbytes


def _shifted(batch: Batch, starts: Tensor) -> Batch:
    """Return a batch [B, T] without the positions before ``starts`` [B], its rows aligned on the left."""
    width = int((batch.attention_mask.sum(dim=1) - starts).max())
    columns = starts[:, None] + torch.arange(width, device=starts.device)
    inside = columns < batch.labels.shape[1]
    columns = columns.clamp(max=batch.labels.shape[1] - 1)
    ids, mask, labels = (t.gather(1, columns) for t in (batch.input_ids, batch.attention_mask, batch.labels))
    return Batch(ids, mask * inside, labels.masked_fill(~inside, IGNORED), batch.indices)


class _DoneError(Exception):
    """The trunk is computed; the layers above it need not be."""


def make_trunk(model: nn.Module) -> Trunk | None:
    """Return the trunk of a model, or of the one inside an adapter; None, with a warning, where it has none."""
    causal, layers = causal_model(model), decoder_layers(model)
    found = list(itertools.takewhile(lambda layer: not _trained(layer), layers))
    trunk = Trunk(model, found, whole=len(found) == len(layers)) if found else None
    if len({parameter.device for parameter in model.parameters()}) > 1:
        reason = "the model spans several devices"
    elif len(_trained(model)) > len(_trained(causal)):
        reason = "what is trained goes into the model, before its layers"
    elif trunk is None:
        reason = "the first layer is trained"
    else:
        reason = trunk.obstacle()
    if reason:
        LOG.warning(f"train.cache_frozen_layers = True: nothing is kept, because {reason}")
    return None if reason else trunk


@contextmanager
def _noting(modules: Iterable[nn.Module]) -> Iterator[list[nn.Module]]:
    """Give the list of those modules that have computed inside the block."""
    computed: list[nn.Module] = []
    hooks = [module.register_forward_hook(lambda own, *_: computed.append(own)) for module in modules]
    try:
        yield computed
    finally:
        for hook in hooks:
            hook.remove()


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
