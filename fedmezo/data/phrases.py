"""Texts that are parts of other texts: what is held out must not be a part of what is trained on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def sentences_of(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return for each text the number of the sentence it is a part of, int64 [n].

    A sentence is a text that is no part of another one, word for word; the first of the longest that holds a phrase is
    its sentence.

    Examples:
        >>> sentences_of(["a good film", "good film", "bad", "film"]).tolist()
        [0, 0, 1, 0]
    """
    words = [text.split() for text in texts]
    owners: dict[str, int] = {}
    numbers = np.empty(len(texts), dtype=np.int64)
    count = 0
    for index in sorted(range(len(texts)), key=lambda index: (-len(words[index]), index)):
        own = words[index]
        number = owners.get(" ".join(own))
        if number is None:
            number, count = count, count + 1
            for start in range(len(own)):
                for stop in range(start + 1, len(own) + 1):
                    owners.setdefault(" ".join(own[start:stop]), number)
        numbers[index] = number
    return numbers
