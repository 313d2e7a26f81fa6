"""Answers: what a model generates after a prompt."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from fedmezo.core.randomness import preserved_torch_state
from fedmezo.models.context_length import room_after


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
    prompt: Sequence[int],
    endings: Sequence[Sequence[int]],
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
    ids = torch.tensor([list(prompt)], device=model.device)  # [1, L]

    def stopped(ids: Tensor, scores: Tensor) -> Tensor:
        return torch.full((len(ids),), stop() or _ended(ids[0].tolist(), endings) > 0, device=ids.device)

    config = _config(sampling, min(sampling.max_tokens, room_after(model, len(prompt))), endings)
    with torch.inference_mode(), preserved_torch_state(sampling.key), warnings.catch_warnings(action="ignore"):
        mask = torch.ones_like(ids)
        rows = model.generate(input_ids=ids, attention_mask=mask, generation_config=config, stopping_criteria=[stopped])
    answer: list[int] = rows[0, len(prompt) :].tolist()
    return answer[: len(answer) - _ended(answer, endings)]


def _config(sampling: Sampling, length: int, endings: Sequence[Sequence[int]]) -> GenerationConfig:
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


def _ended(tokens: Sequence[int], endings: Sequence[Sequence[int]]) -> int:
    """Return the length of the ending that tokens have come to, 0 if there is none."""
    return max((len(ending) for ending in endings if list(tokens[-len(ending) :]) == list(ending)), default=0)
