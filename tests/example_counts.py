"""How many examples hypothesis tries: a fifth of them, and all in ``make test-all``."""

import os

ALL = "FEDMEZO_ALL_TESTS"  # set by conftest.py where no test is left out


def examples(number: int) -> int:
    """Return how many of so many examples are tried now."""
    return number if os.environ.get(ALL) else max(number // 5, 20)
