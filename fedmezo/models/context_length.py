"""How long a sequence a model can take."""

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from fedmezo.core.errors import ConfigurationError


def token_room(model: PreTrainedModel | PeftModel) -> int | None:
    """Return how many tokens fit beside an adapter's virtual ones; None where positions are computed."""
    adapted = isinstance(model, PeftModel)
    base = model.get_base_model() if adapted else model
    tables = (module for module in base.modules() if isinstance(module, nn.Embedding))
    if all(table.num_embeddings == base.config.vocab_size for table in tables):
        return None  # of words alone
    return int(base.config.max_position_embeddings) - virtual_tokens(model)


def virtual_tokens(model: PreTrainedModel | PeftModel) -> int:
    """Return how many tokens an adapter puts before a prompt."""
    settings = model.active_peft_config if isinstance(model, PeftModel) else None
    return getattr(settings, "num_virtual_tokens", None) or 0


def room_after(model: PreTrainedModel | PeftModel, length: int) -> int:
    """Return how many tokens fit after a prompt of so many, virtual ones of the adapter deducted.

    Raises:
        ConfigurationError: none fits.
    """
    taken = length + virtual_tokens(model)
    room = getattr(model.config, "max_position_embeddings", taken + 2**20) - taken
    if room < 1:
        raise ConfigurationError(f"the prompt has {length} tokens\n    the model has room for no answer after so many")
    return int(room)
