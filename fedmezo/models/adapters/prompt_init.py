"""Prompt tuning whose virtual tokens start from embeddings of the model's own, instead of drawn ones."""

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.models.tokenizers import ModelTokenizer


@torch.no_grad()
def prompt_embeddings(
    model: PreTrainedModel | PeftModel, tokenizer: ModelTokenizer, arguments: Mapping[str, Any], seed: int
) -> Tensor | None:
    """Return the model's own embeddings that ``prompt_tuning_init`` asks for, fp32 [n, width]; None for drawn ones.

    ``TEXT`` takes the tokens of ``prompt_tuning_init_text``, repeated or cut off; ``SAMPLE_VOCAB`` draws tokens from
    the run's seed.

    Raises:
        ConfigurationError: there is no text, or nothing in it.
    """
    kind = arguments.get("prompt_tuning_init", "RANDOM")
    if kind == "RANDOM":
        return None
    embeddings, count = model.get_input_embeddings(), arguments["num_virtual_tokens"]
    if kind == "TEXT":
        (ids,) = tokenizer.encode([arguments.get("prompt_tuning_init_text") or ""], special=False)
        if not ids:
            raise ConfigurationError(
                "llm.adapter.args[0].prompt_tuning_init = TEXT\n    needs the text, as prompt_tuning_init_text"
            )
        ids = list(islice(cycle(ids), count))
    else:
        ids = generator(stream_key(seed, "init")).integers(0, embeddings.num_embeddings, count).tolist()
    # through the layer and not from its weights: some models scale what they look up
    found: Tensor = embeddings(torch.tensor(ids, device=embeddings.weight.device))
    return found.float()
