"""Tracking with TensorBoard."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Boolean

SECTION = Section(
    "tensorboard",
    "Tracking with TensorBoard.",
    (Key("tensorboard.use", False, Boolean(), "Write the run's curves to RUN/tensorboard."),),
)
