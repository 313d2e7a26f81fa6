"""The loss."""

from fedmezo.config.key import Key, Section
from fedmezo.config.kinds import Choice, Synonyms

SECTION = Section(
    "criterion",
    "The loss.",
    (
        Key(
            "criterion.type",
            "cross_entropy",
            Synonyms(Choice(("cross_entropy", "CrossEntropyLoss")), {"CrossEntropyLoss": "cross_entropy"}),
            "The loss: mean cross-entropy over response tokens.",
        ),
    ),
)
