"""The unit of every dataset: an instruction, an optional input, and the response to learn."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One instruction-following example.

    Attributes:
        instruction: what is asked.
        input: the context that the instruction works on, empty where there is none.
        output: the response the model learns.
        category: the kind of the example, which the meta and lda splitters divide by; None where unknown.
    """

    instruction: str
    input: str
    output: str
    category: str | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset in memory.

    Attributes:
        name: the name the configuration gave it.
        examples: all examples; the last ``num_own_test`` are the dataset's own test file.
        num_own_test: 0 where the dataset brings no test file.
        source: where the examples came from, in words.
    """

    name: str
    examples: tuple[Example, ...]
    num_own_test: int
    source: str
