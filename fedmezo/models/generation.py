"""Answers: what a model generates after prompts."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from fedmezo.core.randomness import preserved_torch_state
from fedmezo.models.context_length import room_after, virtual_tokens

Tokens = Sequence[int]


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    Args:
        max_tokens: of an answer, at most; fewer where the model has no more positions.
        temperature: 0 takes the likeliest token each time.
        key: of the stream that tokens are drawn from (:func:`fedmezo.core.randomness.stream_key`).
    """

    max_tokens: int
    temperature: float = 0.0
    key: int = 0


def generate(
    model: PreTrainedModel,
    prompt: Tokens,
    endings: Sequence[Tokens],
    sampling: Sampling,
    stop: Callable[[], bool] = lambda: False,
) -> list[int]:
    """Return the tokens that the model, or a PEFT model around one, puts after a prompt, without their ending.

    Args:
        model: in eval mode.
        prompt: tokens.
        endings: token sequences, each of which ends an answer.
        sampling: how tokens are chosen.
        stop: asked after each token.

    Raises:
        ConfigurationError: the prompt leaves no position for an answer.
    """
    return _together(model, [prompt], endings, sampling, stop)[0]


def generate_batch(
    model: PreTrainedModel, prompts: Sequence[Tokens], endings: Sequence[Tokens], sampling: Sampling, batch_size: int
) -> list[list[int]]:
    """Return what :func:`generate` does for each of some prompts, so many of similar length at a time.

    Shorter prompts are padded on the left, but for virtual tokens of an adapter, whose distance to the prompt counts:
    with these only prompts of one length share a batch.
    """
    alike = bool(virtual_tokens(model))
    answers: dict[int, list[int]] = {}
    for rows in _batches(list(map(len, prompts)), batch_size, alike):
        found = _together(model, [prompts[row] for row in rows], endings, sampling, lambda: False)
        answers.update(zip(rows, found, strict=True))
    return [answers[row] for row in range(len(prompts))]


def _batches(lengths: Sequence[int], size: int, alike: bool) -> Iterator[list[int]]:
    """Yield which prompts share a batch."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for _, group in groupby(order, key=lengths.__getitem__ if alike else lambda row: 0):
        rows = list(group)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _together(
    model: PreTrainedModel,
    prompts: Sequence[Tokens],
    endings: Sequence[Tokens],
    sampling: Sampling,
    stop: Callable[[], bool],
) -> list[list[int]]:
    """Return the answers to the prompts of a batch."""
    longest, padding = max(map(len, prompts)), endings[0][0]
    gaps = [longest - len(prompt) for prompt in prompts]
    rows = [[padding] * gap + list(prompt) for gap, prompt in zip(gaps, prompts, strict=True)]
    masks = [[0] * gap + [1] * (longest - gap) for gap in gaps]
    ids, mask = (torch.tensor(each, device=model.device) for each in (rows, masks))  # [B, L]

    def stopped(ids: Tensor, scores: Tensor) -> Tensor:
        halted = stop()
        done = [halted or _ended(row, endings) > 0 for row in ids[:, longest:].tolist()]
        return torch.tensor(done, device=ids.device)

    config = _config(sampling, min(sampling.max_tokens, room_after(model, longest)), endings)
    with torch.inference_mode(), preserved_torch_state(sampling.key), warnings.catch_warnings(action="ignore"):
        found = model.generate(
            input_ids=ids, attention_mask=mask, generation_config=config, stopping_criteria=[stopped]
        )
    return [without_ending(answer, endings) for answer in found[:, longest:].tolist()]


def without_ending(tokens: Tokens, endings: Sequence[Tokens]) -> list[int]:
    """Return the tokens before the first ending."""
    for stop in range(1, len(tokens) + 1):
        if ended := _ended(tokens[:stop], endings):
            return list(tokens[: stop - ended])
    return list(tokens)


def _config(sampling: Sampling, length: int, endings: Sequence[Tokens]) -> GenerationConfig:
    """Return the settings of transformers; models may come with ways of their own to generate, which are overruled."""
    drawn = {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0} if sampling.temperature > 0 else {}
    return GenerationConfig(
        max_new_tokens=length,
        do_sample=sampling.temperature > 0,
        eos_token_id=[ending[0] for ending in endings if len(ending) == 1],
        pad_token_id=endings[0][0],
        repetition_penalty=1.0,
        **drawn,
    )


def _ended(tokens: Tokens, endings: Sequence[Tokens]) -> int:
    """Return the length of the ending that tokens have come to, 0 if there is none."""
    return max((len(ending) for ending in endings if list(tokens[-len(ending) :]) == list(ending)), default=0)
