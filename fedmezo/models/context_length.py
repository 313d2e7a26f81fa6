"""How long a sequence a model can take, where its positions are learnt and not computed."""

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel


def token_room(model: PreTrainedModel | PeftModel) -> int | None:
    """Return how many tokens fit beside an adapter's virtual ones; None where positions are computed."""
    adapted = isinstance(model, PeftModel)
    base = model.get_base_model() if adapted else model
    tables = (module for module in base.modules() if isinstance(module, nn.Embedding))
    if all(table.num_embeddings == base.config.vocab_size for table in tables):
        return None  # of words alone
    virtual = getattr(model.peft_config["default"], "num_virtual_tokens", 0) if adapted else 0
    return int(base.config.max_position_embeddings) - virtual
