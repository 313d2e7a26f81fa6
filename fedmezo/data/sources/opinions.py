"""Short opinions that are put together from words: a classification that needs no file."""

from itertools import product

from fedmezo.data.sources.rows import Row
from fedmezo.data.sources.source import Request

SUBJECTS = {
    "films": ("The plot", "The cast", "The ending", "The music"),
    "meals": ("The soup", "The bread", "The cake", "The coffee"),
    "trips": ("The train", "The hotel", "The beach", "The guide"),
}
VERBS = ("was", "seemed", "turned out")
JUDGEMENTS = {
    "negative": ("awful.", "dull.", "weak.", "poor.", "a waste of time."),
    "positive": ("superb.", "lovely.", "bright.", "fine.", "worth the money."),
}


def read_opinions(request: Request) -> tuple[list[list[Row]], str]:
    """Return all of them, the same for every request, and what they are."""
    del request
    texts = (
        (subject, label, f"{thing} {verb} {judgement}")
        for (subject, things), (label, judgements) in product(SUBJECTS.items(), JUDGEMENTS.items())
        for thing, verb, judgement in product(things, VERBS, judgements)
    )
    rows = [
        Row(f"opinions: row {number}", {"text": text, "label": label, "subject": subject})
        for number, (subject, label, text) in enumerate(texts, start=1)
    ]
    return [rows], "texts put together from words"
