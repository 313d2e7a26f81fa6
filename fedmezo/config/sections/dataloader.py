"""Batches of training."""

from fedmezo.config.key import Key, Section
from fedmezo.config.kinds import Boolean, Integer

SECTION = Section(
    "dataloader",
    "Batches of training.",
    (
        Key("dataloader.batch_size", 1, Integer(low=1), "Examples in a training batch."),
        Key(
            "dataloader.micro_batch_size",
            0,
            Integer(low=0),
            "Examples of a batch that are in memory together (mezotrainer); 0: all of them.",
        ),
        Key("dataloader.shuffle", True, Boolean(), "Shuffle a client's examples in each epoch."),
    ),
)
