"""Bare sums and differences: a single step, without a story, always answered in the same words."""

from fedmezo.data.word_problems.word_problem import ProblemKind, Step, Template

SUM = Template(
    problems=("What is {a} + {b}?", "What is {a} plus {b}?"),
    numbers={"a": (2, 60), "b": (2, 40)},
    steps=(Step("all = a + b", ("{e}.",)),),
)

DIFFERENCE = Template(
    problems=("What is {a} - {b}?", "What is {a} minus {b}?"),
    numbers={"a": (4, 60), "b": (2, 40)},
    steps=(Step("left = a - b", ("{e}.",)),),
)

SUMS = ProblemKind(category="sums", words={}, templates=(SUM, DIFFERENCE))
