"""Batches of training."""

from fedmezo.config.key import Key, Section
from fedmezo.config.kinds import Boolean, Integer

SECTION = Section(
    "dataloader",
    "Batches of training.",
    (
        Key("dataloader.batch_size", 1, Integer(low=1), "Examples in a training batch."),
        Key("dataloader.shuffle", True, Boolean(), "Shuffle a client's examples in each epoch."),
    ),
)
