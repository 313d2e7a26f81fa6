"""What local training minimises."""

from fedmezo.config.key import Key, Section
from fedmezo.config.types import Integer, Registered, Synonyms

SECTION = Section(
    "criterion",
    "What local training minimises.",
    (
        Key(
            "criterion.type",
            "cross_entropy",
            Synonyms(
                Registered(
                    "criteria", "text_metrics", form=r"auto|(?P<file>.+\.py):\w+", form_name="auto, or FILE.py:function"
                ),
                {"CrossEntropyLoss": "cross_entropy"},
            ),
            "What a step minimises, over response tokens: cross_entropy, accuracy (1 - accuracy; mezotrainer only), or "
            "a function of your own, FILE.py:function; label_words: the choice among the label words of a task; auto: "
            "that for classification, cross_entropy for all else. A metric of texts (f1, rouge_l, ...): 1 minus that "
            "of the answers that the model writes (mezotrainer only).",
        ),
        Key(
            "criterion.max_new_tokens",
            32,
            Integer(low=1),
            "Tokens of an answer at most, where criterion.type is a metric of texts.",
            since="0.3.0",
            before=32,
        ),
    ),
)
