"""``rouge_l``: the longest common subsequence of words (Lin 2004), through the library ``rouge-score``."""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from fedmezo.text_metrics import Reference, as_text, register


@register("rouge_l")
def rouge_l(prediction: str, references: Sequence[Reference]) -> float:
    """Return the F-measure of ROUGE-L, of the reference with the highest one.

    The library's own settings: lower case, letters and digits of ASCII, no stemmer; line breaks count as spaces.
    """
    return float(_scorer().score_multi(list(map(as_text, references)), prediction)["rougeL"].fmeasure)


@cache
def _scorer() -> Any:
    handlers = logging.root.handlers[:]
    from rouge_score.rouge_scorer import RougeScorer  # the extra `metrics`, which nothing else needs

    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    logging.root.handlers[:] = handlers  # absl, by which it logs, adds one that says everything again
    return scorer
