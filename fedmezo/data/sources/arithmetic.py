"""Generated sums, and word problems of two to four steps: needs no file and no download, of any size."""

from collections.abc import Sequence

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.examples import Dataset, Example
from fedmezo.data.sources import register
from fedmezo.data.sources.source import Request
from fedmezo.data.word_problems import KINDS
from fedmezo.data.word_problems.sums import SUMS
from fedmezo.data.word_problems.word_problem import ProblemKind, WordProblem, at_most, tell


@register("arithmetic@llm")
class Arithmetic:
    """Problem ``i`` depends on the seed and ``i`` alone: a larger set begins with the smaller one."""

    def load(self, request: Request) -> Dataset:
        """Generate ``request.num_examples`` examples.

        Raises:
            ConfigurationError: a file or field names are given, or the size is not positive.
        """
        if request.file or request.fields:
            raise ConfigurationError(f"{request.name} is generated: leave data.file and data.fields.* empty")
        if request.num_examples < 1:
            raise ConfigurationError(f"data.num_examples = {request.num_examples}: expected at least 1")
        problems = (
            make_word_problem(_kinds(request.steps), request.seed, index) for index in range(request.num_examples)
        )
        examples = tuple(_example(each, request.worked) for each in problems)
        return Dataset(request.name, examples, 0, f"generated from seed {request.seed}")


def _kinds(steps: int) -> tuple[ProblemKind, ...]:
    """Return the kinds of problems of at most so many steps: word problems, or sums where it is a single one."""
    if steps == 1:
        return (SUMS,)
    return at_most(KINDS, steps) if steps else KINDS


def make_word_problem(kinds: Sequence[ProblemKind], seed: int, index: int) -> WordProblem:
    """Return the problem at one index of the endless dataset of a seed."""
    return tell(kinds, generator(stream_key(seed, "data", step=index)))


def _example(found: WordProblem, worked: bool) -> Example:
    return Example(found.problem, "", found.solution if worked else found.answer, found.category)
