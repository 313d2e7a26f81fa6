"""Which parameters are trained: a PEFT adapter, or all of them; what they are initially; how they are stored."""

from fedmezo.models.adapters.attach import attach_adapter
from fedmezo.models.adapters.checkpoint import load_point, read_adapter, read_model, save_trained, stored_hash
from fedmezo.models.adapters.initial import initial_parameters
from fedmezo.models.adapters.merging import merged
from fedmezo.models.adapters.prompt_init import prompt_embeddings

__all__ = [
    "attach_adapter",
    "initial_parameters",
    "load_point",
    "merged",
    "prompt_embeddings",
    "read_adapter",
    "read_model",
    "save_trained",
    "stored_hash",
]
