"""The local trainer."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Registered

SECTION = Section(
    "trainer",
    "The local trainer. Further keys are arguments of the trainer.",
    (
        Key(
            "trainer.type",
            "mezotrainer",
            Registered("training"),
            "How a client trains: mezotrainer by forward passes alone, llmtrainer by backpropagation.",
        ),
    ),
    open_names=("trainer",),
)
