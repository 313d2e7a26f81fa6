"""How often a test repeats something: a fifth as often as in ``make test-all``."""

import os

ALL = "FEDMEZO_ALL_TESTS"  # set by conftest.py where no test is left out


def examples(number: int, least: int = 20) -> int:
    """Return how many of so many examples are tried now, ``least`` of them at least."""
    return number if os.environ.get(ALL) else max(number // 5, least)
