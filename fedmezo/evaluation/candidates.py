"""Answers that are chosen: of some candidates the one with the highest mean log-likelihood (as in MeZO, for ReCoRD)."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.data.batches import collate
from fedmezo.data.encoding import EncodedExamples
from fedmezo.zeroth_order.scoring import Scorer, token_losses

Tokens = Sequence[int]


def likeliest(
    scorer: Scorer,
    point: Tensor,
    prompts: Sequence[Tokens],
    candidates: Sequence[Sequence[Tokens]],
    batch_size: int,
    pad_id: int,
) -> list[int]:
    """Return which candidate of each prompt has the highest mean log-likelihood of its tokens; of equals the first.

    Args:
        scorer: of the model.
        point: the parameters, fp32 [d].
        prompts: tokens.
        candidates: of each prompt, at least one, of at least one token each.
        batch_size: candidates scored at a time.
        pad_id: the token that fills rows.
    """
    pairs = [(prompt, each) for prompt, own in zip(prompts, candidates, strict=True) for each in own]
    losses = _mean_losses(scorer, point, pairs, batch_size, pad_id)
    ends = np.cumsum([len(own) for own in candidates])[:-1]
    return [int(own.argmin()) for own in np.split(losses, ends)]


@torch.inference_mode()
def _mean_losses(
    scorer: Scorer, point: Tensor, pairs: Sequence[tuple[Tokens, Tokens]], batch_size: int, pad_id: int
) -> NDArray[np.float64]:
    """Return the mean loss of the tokens of each second part [n]."""
    encoded = _encoded(pairs)
    order = np.argsort([len(encoded.tokens(row)) for row in range(len(pairs))], kind="stable")
    means = np.empty(len(pairs))
    with scorer.at(point) as model:  # not through the scorer, which may keep states of the run's own examples
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = collate(encoded, rows, pad_id)
            losses, places = (found.cpu().numpy() for found in token_losses(model, batch))
            means[rows] = np.bincount(places, losses) / np.bincount(places)
    return means


def _encoded(pairs: Sequence[tuple[Tokens, Tokens]]) -> EncodedExamples:
    lengths = np.array([len(prompt) + len(rest) for prompt, rest in pairs])
    return EncodedExamples(
        np.fromiter(chain.from_iterable(chain(*pair) for pair in pairs), dtype=np.int32),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array([len(prompt) for prompt, _ in pairs], dtype=np.int32),
        lengths.astype(np.int32),
    )
