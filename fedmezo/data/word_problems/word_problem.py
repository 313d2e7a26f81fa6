"""What a word problem is made of, and how one is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

NAMES = (
    *("Ada", "Amir", "Bruno", "Carla", "Chen", "Dana", "Elif", "Emil", "Farid", "Grace", "Hana", "Ivan"),
    *("Jonas", "Kofi", "Leila", "Mara", "Nina", "Omar", "Priya", "Rosa", "Samir", "Tessa", "Uma", "Yusuf"),
)


class Step(NamedTuple):
    """One step of a solution.

    Attributes:
        formula: ``result = left sign right``; an operand is a number of the problem, a result, or a digit.
        sentences: its wordings; ``{e}`` is the equation, ``{l}``, ``{r}`` and ``{v}`` operands and value.
    """

    formula: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """A family of problems: its wordings, the inclusive range of each number, and the solution's steps."""

    problems: tuple[str, ...]
    numbers: Mapping[str, tuple[int, int]]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class ProblemKind:
    """A category of word problems, with the words its templates choose from."""

    category: str
    words: Mapping[str, tuple[str, ...]]
    templates: tuple[Template, ...]


class Calculation(NamedTuple):
    """A step with its numbers."""

    left: int
    sign: str
    right: int
    value: int


@dataclass(frozen=True)
class WordProblem:
    """A word problem, its worked solution, and the numbers and calculations behind them."""

    category: str
    problem: str
    solution: str
    numbers: Mapping[str, int]
    calculations: tuple[Calculation, ...]

    @property
    def answer(self) -> str:
        """The number alone."""
        return str(self.calculations[-1].value)


def at_most(kinds: Sequence[ProblemKind], steps: int) -> tuple[ProblemKind, ...]:
    """Return the kinds with only their templates of at most so many steps, without kinds that have none."""
    short = (replace(kind, templates=tuple(t for t in kind.templates if len(t.steps) <= steps)) for kind in kinds)
    return tuple(kind for kind in short if kind.templates)


def tell(kinds: Sequence[ProblemKind], generator: np.random.Generator) -> WordProblem:
    """Draw one problem: its kind, template, numbers, words and wordings."""
    kind = _choose(kinds, generator)
    template = _choose(kind.templates, generator)
    numbers, calculations = _solvable_numbers(template, generator)
    words = _words(kind, generator)
    problem = _choose(template.problems, generator).format(**words, **numbers)
    times = _choose(("*", "x"), generator)
    sentences = [
        _sentence(step, calculation, words, times, generator)
        for step, calculation in zip(template.steps, calculations, strict=True)
    ]
    ending = f"The answer is {calculations[-1].value}."
    return WordProblem(kind.category, problem, " ".join([*sentences, ending]), numbers, calculations)


def _solvable_numbers(
    template: Template, generator: np.random.Generator
) -> tuple[dict[str, int], tuple[Calculation, ...]]:
    """Draw numbers until every step gives a whole number of at least 2 (so that plurals are right)."""
    while True:
        numbers = {name: int(generator.integers(low, high + 1)) for name, (low, high) in template.numbers.items()}
        calculations = _calculate(template.steps, numbers)
        if calculations is not None:
            return numbers, calculations


def _calculate(steps: Sequence[Step], numbers: Mapping[str, int]) -> tuple[Calculation, ...] | None:
    known, calculations = dict(numbers), []
    for step in steps:
        result, _, first, sign, second = step.formula.split()
        left, right = (known[name] if name in known else int(name) for name in (first, second))
        value, remainder = _apply(left, sign, right)
        if remainder or value < 2:
            return None
        known[result] = value
        calculations.append(Calculation(left, sign, right, value))
    return tuple(calculations)


def _apply(left: int, sign: str, right: int) -> tuple[int, int]:
    """Return the value and, for a division, its remainder."""
    match sign:
        case "+":
            return left + right, 0
        case "-":
            return left - right, 0
        case "*":
            return left * right, 0
        case "/":
            return divmod(left, right)
    raise ValueError(f"no such operation: {sign!r}")


def _words(kind: ProblemKind, generator: np.random.Generator) -> dict[str, str]:
    first, second = generator.choice(len(NAMES), size=2, replace=False)
    chosen = {slot: _choose(choices, generator) for slot, choices in kind.words.items()}
    return {"name": NAMES[first], "other": NAMES[second], **chosen}


def _sentence(
    step: Step, calculation: Calculation, words: Mapping[str, str], times: str, generator: np.random.Generator
) -> str:
    left, sign, right, value = calculation
    equation = f"{left} {times if sign == '*' else sign} {right} = {value}"
    return _choose(step.sentences, generator).format(**words, e=equation, l=left, r=right, v=value)


def _choose(choices: Sequence[T], generator: np.random.Generator) -> T:
    return choices[int(generator.integers(len(choices)))]
