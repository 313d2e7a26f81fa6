"""What others have published of a suite's arms, as data: shown beside what is measured, or in a table of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedmezo.core.documents.problems import Problem, Problems
from fedmezo.core.documents.reading import check_keys
from fedmezo.core.text import listing, nearest

KEYS = ("source", "note", "beside", "columns", "rows")


@dataclass(frozen=True)
class Published:
    """Numbers of others.

    Attributes:
        source: whose, and where they stand.
        note: what they are of.
        beside: for each column of that name, the values by the labels of an arm, in the order of the axes.
        columns: of a table of its own; empty for none.
        rows: of that table.
    """

    source: str = ""
    note: str = ""
    beside: Mapping[str, Mapping[tuple[str, ...], str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def read_published(path: Path, found: Any, axes: Mapping[str, Sequence[str]], problems: Problems) -> Published | None:
    """Return what the mapping ``published`` of a suite's file says; None where something is wrong with it.

    Args:
        path: of the file.
        found: the mapping.
        axes: the labels of each axis, at any scale.
        problems: takes what is wrong.
    """
    before = len(problems)
    check_keys(path, found, ("source",), KEYS, problems, "published.")
    if len(problems) > before:
        return None
    columns, rows = found.get("columns", []), found.get("rows", [])
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            expected = f"expected a list of {len(columns)}, a cell for each of published.columns"
            problems.append(Problem(str(path), f"published.rows, row {number}", str(row), expected))
    beside = {
        str(name): {
            labels: str(value) for labels, value in _values(path, f"published.beside.{name}", own, axes, problems)
        }
        for name, own in found.get("beside", {}).items()
    }
    if len(problems) > before:
        return None
    cells = tuple(tuple(map(str, row)) for row in rows)
    return Published(found["source"], found.get("note", ""), beside, tuple(map(str, columns)), cells)


def _values(
    path: Path, key: str, found: Any, axes: Mapping[str, Sequence[str]], problems: Problems
) -> list[tuple[tuple[str, ...], Any]]:
    """Return the values of a nested mapping with the labels that lead to each: a level an axis."""
    if not axes:
        if isinstance(found, dict | list) or found is None:
            problems.append(Problem(str(path), key, str(found), "expected a number or a text: all axes are named"))
        return [((), found)]
    (axis, labels), *others = axes.items()
    if not isinstance(found, dict):
        wanted = f"expected a mapping by the labels of the axis {axis}: {listing(labels)}"
        problems.append(Problem(str(path), key, str(found), wanted))
        return []
    for label in map(str, found):
        if label not in labels:
            message = f"the axis {axis} has no such label{nearest(label, labels)}"
            problems.append(Problem(str(path), f"{key}.{label}", "", message))
    return [
        ((str(label), *rest), value)
        for label, own in found.items()
        for rest, value in _values(path, f"{key}.{label}", own, dict(others), problems)
    ]
