"""What is trained, on what: a model and data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yacs.config import CfgNode

from fedmezo.assembly.data import assemble_data
from fedmezo.assembly.model import TrainableModel, assemble_model
from fedmezo.assembly.preflight import preflight
from fedmezo.core.cache import cache_folder
from fedmezo.core.errors import ConfigurationError
from fedmezo.core.out_of_memory import during
from fedmezo.data import batches
from fedmezo.data.federated import FederatedData
from fedmezo.models.context_length import token_room


@dataclass(frozen=True, eq=False)
class LearningTask(TrainableModel):
    """What is trained, on what, where: everything but the federation.

    Args:
        data: encoded and divided among clients.
    """

    data: FederatedData

    def collate(self, indices: NDArray[Any]) -> batches.Batch:
        """Return the batch of some examples."""
        device = self.parameters.buffer.device
        return batches.collate(self.data.encoded, indices, self.tokenizer.pad_id, device)


def assemble_learning_task(cfg: CfgNode) -> LearningTask:
    """Load model and data.

    Raises:
        ResourceError: either cannot be had.
        ConfigurationError: they do not go together with the configuration.
    """
    preflight(cfg)
    with during("loading the model"):
        trainable = assemble_model(cfg)
    data = assemble_data(cfg, trainable.tokenizer, cache_folder(cfg.llm.cache.model))
    _check_lengths(trainable, int(np.diff(data.encoded.offsets).max()))
    return LearningTask(**vars(trainable), data=data)


def _check_lengths(trainable: TrainableModel, longest: int) -> None:
    room = token_room(trainable.model)
    if room is not None and longest > room:
        raise ConfigurationError(
            f"llm.tok_len\n    the longest example has {longest} tokens, and the model has positions for {room}; "
            f"set llm.tok_len {room}"
        )
