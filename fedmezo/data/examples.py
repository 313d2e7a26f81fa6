"""The unit of every dataset: an instruction, an optional input, and the response to learn."""

from dataclasses import dataclass

from fedmezo.data.tasks.task import Task
from fedmezo.text_metrics import Reference


@dataclass(frozen=True, slots=True)
class Example:
    """One instruction-following example.

    Attributes:
        instruction: what is asked.
        input: the context that the instruction works on, empty where there is none.
        output: the response the model learns.
        category: the kind of the example, which the meta and lda splitters divide by; None where unknown.
        question: what is asked after the input, empty where all that is asked is in the instruction.
        label: the class that the response names; None where it is no matter of classes.
        references: all right answers; empty where the response is the only one.
        candidates: the responses that an answer is chosen among; empty where it is written.
    """

    instruction: str
    input: str
    output: str
    category: str | None
    question: str = ""
    label: str | None = None
    references: tuple[Reference, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def right_answers(self) -> tuple[Reference, ...]:
        """The references, of which there is one at least."""
        return self.references or (self.output.strip(),)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset in memory.

    Attributes:
        name: the name the configuration gave it.
        examples: all examples; the last ``num_own_test`` are the dataset's own test file.
        num_own_test: 0 where the dataset brings no test file.
        source: where the examples came from, in words.
        task: what is asked of every example; None where each asks for itself.
    """

    name: str
    examples: tuple[Example, ...]
    num_own_test: int
    source: str
    task: Task | None = None
