"""``drop_exact_match`` and ``drop_f1`` of DROP (Dua et al. 2019): as its script ``drop_eval.py`` computes them.

What a model writes is one span, whatever it holds; a right answer may be several.
"""

import re
import string
from collections.abc import Sequence

import numpy as np

from fedmezo.text_metrics import Reference, register

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


@register("drop_exact_match")
def drop_exact_match(prediction: str, references: Sequence[Reference]) -> float:
    """Return 1 where an answer is a right one of one span after normalisation, else 0."""
    found = normalised(prediction)
    return float(any([found] == [normalised(span) for span in spans] for spans in _told(references)))


@register("drop_f1")
def drop_f1(prediction: str, references: Sequence[Reference]) -> float:
    """Return the F1 of an answer's distinct words, to two digits, of the right answer with the highest one.

    Of several spans the one that the answer is nearest to counts, divided by how many there are. A span with numbers
    counts 0 where the answer has none of them.
    """
    found = set(normalised(prediction).split())
    bags = ([set(normalised(span).split()) for span in spans] for spans in _told(references))
    scores = (max(_f1(found, bag) for bag in each) / len(each) for each in bags)
    return max((float(np.round(score, 2)) for score in scores), default=0.0)


def normalised(text: str) -> str:
    """Return a text in lower case, cut at spaces and hyphens, without articles and, but for numbers, punctuation.

    Examples:
        >>> normalised("The 1,200-yard run"), normalised("$ 3.50")
        ('1200.0 yard run', '3.5')
    """
    return " ".join(filter(None, map(_token, re.split(" |-", text))))


def _token(text: str) -> str:
    lower = text.lower()
    bare = lower if _is_number(lower) else lower.translate(PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", str(float(bare)) if _is_number(bare) else bare).split())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _told(references: Sequence[Reference]) -> list[tuple[str, ...]]:
    """Return the spans of the references that say something."""
    spans = ((each,) if isinstance(each, str) else each for each in references)
    return [each for each in spans if each[0].strip()]


def _f1(found: set[str], wanted: set[str]) -> float:
    numbers = set(filter(_is_number, wanted))
    if numbers and not numbers & found:
        return 0.0
    common = len(found & wanted)
    precision = common / len(found) if found else 1.0
    recall = common / len(wanted) if wanted else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
