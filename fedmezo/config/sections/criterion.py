"""What local training minimises."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Registered, Synonyms

SECTION = Section(
    "criterion",
    "What local training minimises.",
    (
        Key(
            "criterion.type",
            "cross_entropy",
            Synonyms(
                Registered("criteria", form=r"auto|(?P<file>.+\.py):\w+", form_name="auto, or FILE.py:function"),
                {"CrossEntropyLoss": "cross_entropy"},
            ),
            "What a step minimises, over response tokens: cross_entropy, accuracy (1 - accuracy; mezotrainer only), or "
            "a function of your own, FILE.py:function; label_words: the choice among the label words of a task; auto: "
            "that for classification, cross_entropy for all else.",
        ),
    ),
)
