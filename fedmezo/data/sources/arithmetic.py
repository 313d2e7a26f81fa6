"""Generated word problems of two to four steps: needs no file and no download, of any size."""

from fedmezo.data.examples import Dataset, Example
from fedmezo.data.sources import register
from fedmezo.data.sources.source import Request
from fedmezo.data.stories import KINDS
from fedmezo.data.stories.story import tell
from fedmezo.errors import ConfigurationError
from fedmezo.randomness import generator, stream_key


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
        examples = tuple(make_example(request.seed, index) for index in range(request.num_examples))
        return Dataset(request.name, examples, 0, f"generated from seed {request.seed}")


def make_example(seed: int, index: int) -> Example:
    """Return the example at one index of the endless dataset of a seed."""
    story = tell(KINDS, generator(stream_key(seed, "data", step=index)))
    return Example(story.problem, "", story.solution, story.category)
