"""``exact_match`` and ``f1`` of SQuAD (Rajpurkar et al. 2016): as its script ``evaluate-v1.1.py`` computes them."""

import re
import string
from collections import Counter
from collections.abc import Sequence

from fedmezo.text_metrics import Reference, as_text, register

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


@register("exact_match")
def exact_match(prediction: str, references: Sequence[Reference]) -> float:
    """Return 1 where an answer is a right one after normalisation, else 0."""
    found = normalised(prediction)
    return float(any(found == normalised(as_text(reference)) for reference in references))


@register("f1")
def f1(prediction: str, references: Sequence[Reference]) -> float:
    """Return the F1 of an answer's words, of the right answer with the highest one."""
    return max(_f1(normalised(prediction).split(), normalised(as_text(reference)).split()) for reference in references)


def normalised(text: str) -> str:
    """Return a text in lower case, without punctuation (of ASCII) and articles, white space as single spaces.

    Examples:
        >>> normalised(" The  Norman's,\\nan heir ")
        'normans heir'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def _f1(found: list[str], wanted: list[str]) -> float:
    common = (Counter(found) & Counter(wanted)).total()
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
