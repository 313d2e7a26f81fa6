import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.randomness import generator, stream_key
from fedmezo.data.load import load_dataset
from fedmezo.data.sources.arithmetic import make_word_problem
from fedmezo.data.sources.source import Request
from fedmezo.data.word_problems import KINDS
from fedmezo.data.word_problems.word_problem import ProblemKind, Template, WordProblem, at_most, tell

TEMPLATES = [(kind, template) for kind in KINDS for template in kind.templates]
IDS = [f"{kind.category}-{number}" for kind in KINDS for number in range(len(kind.templates))]
EQUATION = re.compile(r"(\d+) ([-+*x/]) (\d+) = (\d+)")

# the answer of each template, in closed form
ANSWERS: dict[str, list[Callable[..., float]]] = {
    "cooking": [
        lambda a, b, c, d: (a * b - c) / d,
        lambda a, b, c: b * c / a,
        lambda a, b, c, d: a * b - c * d,
    ],
    "farm": [
        lambda a, b, c, d: (a * b + c) / d,
        lambda a, b, c, d: c * d / (a * b),
        lambda a, b, c, d: 2 * (a - b + c) / d,
    ],
    "savings": [
        lambda a, b, c: (a - b) / c,
        lambda a, b, c, d: (2 * a + b) * c - d,
        lambda a, b, c: a * b / 2 - c,
    ],
    "school": [
        lambda a, b, c, d: (a - b * c) / d,
        lambda a, b, c, d: (a * b - c) / d,
        lambda a, b, c, d: a * b - c + d,
    ],
    "shopping": [
        lambda a, b, c, d: d - (a * b + c),
        lambda a, b, c: (a - b) * c,
        lambda a, b, c, d: a * b / c + d,
    ],
    "sports": [
        lambda a, b, c, d: a * b * c + d,
        lambda a, b: (2 * a + b) / 2,
        lambda a, b, c, d: (a * b - c) / d,
    ],
    "travel": [
        lambda a, b, c: a * b + c,
        lambda a, b, c, d: (a - b * c) / d,
        lambda a, b, c, d: 2 * a * b * c + d,
    ],
    "work": [
        lambda a, b, c, d: a * b * c - d,
        lambda a, b, c, d: (a - d) / (b + c),
        lambda a, b, c, d: a * b * c - d,
    ],
}


def stories(kind: ProblemKind, template: Template, count: int = 40) -> list[WordProblem]:
    alone = [ProblemKind(kind.category, kind.words, (template,))]
    return [tell(alone, generator(stream_key(7, "data", step=index))) for index in range(count)]


def evaluate(left: int, sign: str, right: int) -> float:
    """A second evaluator, on fractions rather than whole numbers."""
    return {"+": left + right, "-": left - right, "*": left * right, "x": left * right, "/": left / right}[sign]


@pytest.mark.parametrize(("kind", "template"), TEMPLATES, ids=IDS)
def test_every_calculation_is_right(kind: ProblemKind, template: Template) -> None:
    for story in stories(kind, template):
        assert 2 <= len(story.calculations) <= 4
        for left, sign, right, value in story.calculations:
            assert evaluate(left, sign, right) == value
        for left, sign, right, value in EQUATION.findall(story.solution):
            assert evaluate(int(left), sign, int(right)) == int(value)
        assert story.solution.endswith(f" The answer is {story.calculations[-1].value}.")


@pytest.mark.parametrize(("kind", "template"), TEMPLATES, ids=IDS)
def test_the_answer_is_the_closed_form(kind: ProblemKind, template: Template) -> None:
    answer = ANSWERS[kind.category][kind.templates.index(template)]
    for story in stories(kind, template):
        expected = answer(**story.numbers)
        assert expected == int(expected) and story.solution.endswith(f"The answer is {int(expected)}.")


@pytest.mark.parametrize(("kind", "template"), TEMPLATES, ids=IDS)
def test_every_operand_is_known_and_every_number_of_the_problem_is_used(kind: ProblemKind, template: Template) -> None:
    constants = {2}
    for story in stories(kind, template):
        given = {int(number) for number in re.findall(r"\d+", story.problem)} - {100}
        known = given | constants
        used: set[int] = set()
        for left, _, right, value in story.calculations:
            assert {left, right} <= known | {100}
            used |= {left, right}
            known.add(value)
        assert given <= used | {100}


@pytest.mark.parametrize(("kind", "template"), TEMPLATES, ids=IDS)
def test_every_wording_can_be_filled_in(kind: ProblemKind, template: Template) -> None:
    slots = {"name": "A", "other": "B", **{slot: words[0] for slot, words in kind.words.items()}}
    for problem in template.problems:
        filled = problem.format(**slots, **dict.fromkeys(template.numbers, 2))
        assert "{" not in filled
    for step in template.steps:
        assert len(step.sentences) >= 2
        for sentence in step.sentences:
            assert "5" in sentence.format(**slots, e="3 + 2 = 5", l=3, r=2, v=5)


def arithmetic(count: int, seed: int = 0, worked: bool = True, steps: int = 0) -> list[tuple[str, str, str | None]]:
    request = Request("arithmetic@llm", Path("none"), num_examples=count, worked=worked, steps=steps, seed=seed)
    dataset = load_dataset(request)
    return [(example.instruction, example.output, example.category) for example in dataset.examples]


def test_a_larger_set_begins_with_the_smaller_one() -> None:
    assert arithmetic(60)[:20] == arithmetic(20)


def test_the_examples_are_the_committed_ones() -> None:
    text = "\n".join("|".join(map(str, example)) for example in arithmetic(200, seed=3))
    assert hashlib.blake2b(text.encode(), digest_size=16).hexdigest() == "ec148d22b178d9da9ce257700a355f71"


def test_a_response_may_be_the_number_alone() -> None:
    bare = arithmetic(50, worked=False)
    for (instruction, solution, category), example in zip(arithmetic(50), bare, strict=True):
        number = solution.rpartition(" The answer is ")[2].removesuffix(".")
        assert example == (instruction, number, category) and number.isdigit()


@pytest.mark.parametrize(("steps", "found"), [(2, {2}), (3, {2, 3}), (4, {2, 3, 4}), (0, {2, 3, 4})])
def test_the_steps_of_a_problem_may_be_limited(steps: int, found: set[int]) -> None:
    kinds = at_most(KINDS, steps) if steps else KINDS
    lengths = {len(make_word_problem(kinds, 0, index).calculations) for index in range(100)}
    assert lengths == found
    expected = [make_word_problem(kinds, 0, index).problem for index in range(100)]
    assert [instruction for instruction, _, _ in arithmetic(100, steps=steps)] == expected


def test_a_single_step_is_a_sum_or_a_difference() -> None:
    signs = set()
    for instruction, solution, category in arithmetic(200, steps=1):
        left, sign, right = re.fullmatch(r"What is (\d+) (plus|minus|[-+]) (\d+)\?", instruction).groups()  # type: ignore[union-attr]
        wanted = int(left) + int(right) * (1 if sign in ("plus", "+") else -1)
        assert solution.endswith(f"= {wanted}. The answer is {wanted}.") and category == "sums"
        signs.add(sign)
    assert signs == {"plus", "minus", "+", "-"}
    assert [answer for _, answer, _ in arithmetic(3, steps=1, worked=False)] == ["31", "5", "15"]


def test_the_seed_decides() -> None:
    assert arithmetic(20, seed=1) == arithmetic(20, seed=1)
    assert not set(arithmetic(20, seed=1)) & set(arithmetic(20, seed=2))


def test_examples_are_varied_short_and_of_all_kinds() -> None:
    examples = arithmetic(1000)
    assert len({instruction for instruction, _, _ in examples}) > 990
    assert {category for _, _, category in examples} == {kind.category for kind in KINDS}
    words = [len(f"{instruction} {output}".split()) for instruction, output, _ in examples]
    assert max(words) <= 80 and sum(words) / len(words) < 65
    # the solutions differ by more than their numbers and names
    shapes = {re.sub(r"\d+|[A-Z][a-z]+", "", output) for _, output, _ in examples}
    assert len(shapes) > 300


@pytest.mark.parametrize(
    ("file", "fields", "count", "expected"),
    [
        ("a.json", {}, 5, "leave data.file"),
        ("", {"input": "context"}, 5, "leave data.file"),
        ("", {}, 0, "data.num_examples = 0"),
    ],
)
def test_what_does_not_fit_generated_data_is_refused(
    file: str, fields: dict[str, str], count: int, expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        load_dataset(Request("arithmetic@llm", Path("none"), file=file, fields=fields, num_examples=count))
