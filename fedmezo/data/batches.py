"""Encoded examples become the tensors of a batch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fedmezo.data.encoding import EncodedExamples

IGNORED = -100


@dataclass(frozen=True, eq=False)
class Batch:
    """A padded batch of B examples, the longest of T tokens, in the memory of the host.

    What of it a model is given goes to the model's device with :func:`on_device`. Which tokens are learnt the host
    knows without asking.

    Attributes:
        input_ids: int64 [B, T], padded on the right.
        attention_mask: int64 [B, T], 1 on tokens and 0 on padding.
        labels: int64 [B, T], the token where it is learnt and -100 on prompt and padding (not shifted).
        indices: int64 [B], which examples these are.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    indices: NDArray[np.int64]


def split_batch(batch: Batch, size: int) -> list[Batch]:
    """Return a batch in batches of at most ``size`` examples, without the padding that these do not need."""
    if size >= len(batch.labels):
        return [batch]
    parts = []
    for start in range(0, len(batch.labels), size):
        rows = slice(start, start + size)
        longest = int(batch.attention_mask[rows].sum(dim=1).max())
        ids, mask, labels = (t[rows, :longest] for t in (batch.input_ids, batch.attention_mask, batch.labels))
        parts.append(Batch(ids, mask, labels, batch.indices[rows]))
    return parts


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the host on a device; nobody waits until it has arrived there."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def collate(encoded: EncodedExamples, indices: NDArray[np.int64], pad_id: int) -> Batch:
    """Pad at least one example to a batch."""
    rows = [encoded.tokens(index) for index in indices]
    shape = len(rows), max(map(len, rows))
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    attention_mask = np.zeros(shape, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    for row, (index, tokens) in enumerate(zip(indices, rows, strict=True)):
        start = encoded.prompt_lengths[index]
        input_ids[row, : len(tokens)] = tokens
        attention_mask[row, : len(tokens)] = 1
        labels[row, start : len(tokens)] = tokens[start:]
    return Batch(torch.from_numpy(input_ids), torch.from_numpy(attention_mask), torch.from_numpy(labels), indices)
