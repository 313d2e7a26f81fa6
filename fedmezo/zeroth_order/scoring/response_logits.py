"""What a model says at the response tokens of a batch, some of them at a time.

Prompts and padding, most of a batch, never go through the model's head; and the logits of a long response need not be
in memory all together.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers.utils import ModelOutput

from fedmezo.criteria.cross_entropy import cross_entropy
from fedmezo.data.batches import IGNORED, Batch, on_device
from fedmezo.zeroth_order.scoring.forward_override import forward_override
from fedmezo.zeroth_order.scoring.trunk import Trunk

MOST_LOGITS = 6_500_000  # of a part: 26 MB in fp32, which stays in caches and is allocated without page faults


class Responses(NamedTuple):
    """What a model says at n response tokens of a batch, in row order: the arguments of a criterion.

    Attributes:
        logits: fp32 [n, V], on the batch's device, as are the others.
        labels: int64 [n], the tokens.
        rows: int64 [n], the example of the batch each belongs to, 0 .. B - 1.
    """

    logits: Tensor
    labels: Tensor
    rows: Tensor


class Reader:
    """Reads what a model says, through the model's own head: soft-capping and scaling of logits hold.

    Args:
        model: a causal language model of transformers, or a PEFT model around one.
        trunk: of the model, if what comes out of it is kept.
    """

    def __init__(self, model: nn.Module, trunk: Trunk | None = None) -> None:
        self._model = model
        self._trunk = trunk
        causal: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self._causal = causal
        self._decoder: nn.Module = causal.get_decoder()
        self._head: nn.Module = causal.get_output_embeddings()
        self._device: torch.device = causal.get_input_embeddings().weight.device
        self._output: type[ModelOutput] = ModelOutput

    def parts(self, batch: Batch, lanes: int = 1, most: int = MOST_LOGITS) -> Iterator[list[Responses]]:
        """Yield the responses of each lane, part by part.

        Args:
            batch: right-padded sequences, lane by lane; each lane has as many. Lanes that join the forward on its way
                up have the examples of the first one.
            lanes: in the end.
            most: logits of a part of all lanes.
        """
        hidden, labels = self._before_head(batch, lanes)
        found = [_responses(lane, each) for lane, each in enumerate(labels.chunk(lanes))]
        counts = [len(each) for each in found]
        places, columns, tokens, rows = on_device(pad_sequence(found, batch_first=True), self._device).unbind(
            -1
        )  # [L, n]
        side_by_side = hidden[places, columns]  # [L, n, H]
        step = max(1, most // (lanes * self._causal.config.get_text_config().vocab_size))
        for start in range(0, side_by_side.shape[1], step):
            logits = self._logits(side_by_side[:, start : start + step])
            stops = [min(start + logits.shape[1], count) for count in counts]
            yield [
                Responses(said[: max(0, stop - start)], own[start:stop], row[start:stop])
                for said, own, row, stop in zip(logits, tokens, rows, stops, strict=True)
            ]

    def whole(self, batch: Batch, lanes: int = 1) -> list[Responses]:
        """Return the responses of each lane in one part."""
        return next(self.parts(batch, lanes, sys.maxsize))

    def classes(self, batch: Batch, label_tokens: Tensor, lanes: int = 1) -> list[Responses]:
        """Return what the model says of C classes at the first response token of each example, for each lane.

        Args:
            batch: right-padded sequences, lane by lane; each lane has B.
            label_tokens: the token of each class, int64 [C], on the same device.
            lanes: of the batch.

        Returns:
            For each lane logits [B, C], the class of each example [B], and 0 .. B - 1.
        """
        hidden, labels = self._before_head(batch, lanes)
        learnt = (labels != IGNORED).int().argmax(dim=1)
        places = torch.arange(len(learnt))
        packed = torch.stack((places, learnt, labels[places, learnt]))
        rows, first, tokens = on_device(packed, self._device)
        logits = self._logits(hidden[rows, first].view(lanes, -1, hidden.shape[-1]), label_tokens)  # [L, B, C]
        classes = (tokens[:, None] == label_tokens).int().argmax(dim=1)
        each = zip(logits, classes.chunk(lanes), strict=True)
        return [Responses(said, right, rows[: len(right)]) for said, right in each]

    def _before_head(self, batch: Batch, lanes: int) -> tuple[Tensor, Tensor]:
        """Return what goes into the head, [B, k + 1, H], and labels [B, k] of the host: position j predicts label j.

        The first label is the first of any row.
        """
        seen: list[Tensor] = []

        def capture(hidden: Tensor) -> Tensor:
            seen.append(hidden)
            return hidden[..., :1]  # what is done to it afterwards does not matter

        trunk = self._trunk.passed(batch) if self._trunk else nullcontext(batch)
        with forward_override(self._head, capture), self._noting_the_output(), trunk as given:
            first = int((given.labels != IGNORED).any(dim=0).nonzero()[0])
            self._model(
                input_ids=on_device(given.input_ids, self._device),
                attention_mask=None
                if bool(given.attention_mask.all())
                else on_device(given.attention_mask, self._device),
                logits_to_keep=given.labels.shape[1] - first + 1,
                use_cache=False,
            )
        labels = given.labels[:, first:]
        hidden = seen[0].to(self._device)  # the last layer may be elsewhere
        if len(hidden) != len(labels):
            labels = labels[: len(hidden) // lanes].repeat(lanes, 1)
        return hidden, labels

    @contextmanager
    def _noting_the_output(self) -> Iterator[None]:
        """Note which kind of output the decoder gives, which the model's forward pass around it expects."""

        def note(module: nn.Module, inputs: Any, output: ModelOutput) -> None:
            self._output = type(output)

        hook = self._decoder.register_forward_hook(note)
        try:
            yield
        finally:
            hook.remove()

    def _logits(self, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Return fp32 logits [L, n, V] of what goes into the head [L, n, H]; only those of some tokens [C]."""

        def decoded(*_: Any, **__: Any) -> ModelOutput:
            return self._output(last_hidden_state=hidden)

        token = torch.zeros((1, 1), dtype=torch.int64, device=hidden.device)
        with forward_override(self._decoder, decoded), self._head_of(tokens):
            logits: Tensor = self._causal(input_ids=token, logits_to_keep=0, use_cache=False).logits
        if tokens is not None and logits.shape[-1] != len(tokens):
            logits = logits[..., tokens]
        return logits.float()

    def _head_of(self, tokens: Tensor | None) -> AbstractContextManager[None]:
        """Have the head compute for some tokens only, where it is a plain matrix that nothing perturbs."""
        head = self._head
        if tokens is None or type(head) is not nn.Linear or "forward" in vars(head):
            return nullcontext()
        weight, bias = head.weight[tokens], None if head.bias is None else head.bias[tokens]
        return forward_override(head, lambda hidden: functional.linear(hidden, weight, bias))


def _responses(lane: int, labels: Tensor) -> Tensor:
    """Return what is to be known of each response token, [n, 4]: its row in the forward, its column, itself, its row.

    Args:
        lane: of the forward.
        labels: of the lane [B, k].
    """
    rows, columns = (labels != IGNORED).nonzero(as_tuple=True)
    return torch.stack((lane * len(labels) + rows, columns, labels[rows, columns], rows), dim=1)


def token_losses(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of every response token (fp32 [n]) and the row it belongs to (int64 [n])."""
    (responses,) = Reader(model).whole(batch)
    return cross_entropy(*responses), responses.rows
