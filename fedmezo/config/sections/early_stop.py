"""Early stopping."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Integer

SECTION = Section(
    "early_stop",
    "Early stopping.",
    (
        Key(
            "early_stop.patience",
            0,
            Integer(low=0),
            "Evaluations without a better best after which the run stops; 0: never.",
        ),
    ),
)
