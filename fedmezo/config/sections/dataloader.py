"""Batches of training."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Boolean, Choice, Integer

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
        Key(
            "dataloader.last_batch",
            "short",
            Choice(("short", "filled")),
            "Last batch of an epoch (train.batch_or_epoch epoch): short; or filled from the next epoch, which counts.",
            since="0.2.0",
            before="filled",
        ),
        Key("dataloader.shuffle", True, Boolean(), "Shuffle a client's examples in each epoch."),
    ),
)
