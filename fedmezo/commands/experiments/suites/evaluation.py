"""What a suite asks of each of its runs, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import check_keys


@dataclass(frozen=True)
class Evaluation:
    """What is asked of a run, as by ``python -m fedmezo.evaluate``."""

    tasks: tuple[str, ...]
    rounds: tuple[int | str, ...] = (0, "final")
    limit: int | None = None
    run_code: bool = False


def read_evaluation(path: Path, asked: Any, problems: Problems, where: str) -> Evaluation | None:
    """Return the evaluation that a mapping of a suite's file is; None where something is wrong with it.

    Args:
        path: of the file.
        asked: the mapping.
        problems: takes what is wrong.
        where: the mapping's own key.
    """
    before = len(problems)
    check_keys(path, asked, ("tasks",), tuple(EXPECTED), problems, f"{where}.")
    for key in EXPECTED.keys() & asked.keys() if isinstance(asked, dict) else ():
        wanted, right = EXPECTED[key]
        if not right(asked[key]):
            problems.append(Problem(str(path), f"{where}.{key}", str(asked[key]), f"expected {wanted}"))
    if len(problems) > before:
        return None
    found: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in asked.items()}
    return Evaluation(**found)


def _tasks(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def _rounds(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(each == "final" or _whole(each, 0) for each in value)


def _whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


EXPECTED: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "tasks": ("a list of tasks", _tasks),
    "rounds": ("a list of numbers of rounds, or final", _rounds),
    "limit": ("a whole number of at least 1", lambda value: _whole(value, 1)),
    "run_code": ("true or false", lambda value: isinstance(value, bool)),
}
