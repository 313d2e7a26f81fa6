"""Rows become examples: which field holds what, and what is said about rows that do not fit.

A number or a truth value is taken as the text that the file has for it: labels and answers are often written so.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.text import listing, nearest
from fedmezo.data.examples import Example
from fedmezo.data.sources.rows import NoNumber, Repeating, Row, type_name

MOST_LISTED = 10
HALF_PAIR = re.compile("[\ud800-\udfff]")
REQUIRED = ("instruction", "output")


@dataclass(frozen=True)
class Fields:
    """The field names of a dataset's rows. ``input`` and ``category`` may be absent from rows."""

    instruction: str = "instruction"
    input: str = "input"
    output: str = "output"
    category: str = "category"

    def override(self, named: Mapping[str, str]) -> "Fields":
        """Return these names with the user's own in their place.

        Raises:
            ConfigurationError: a key of ``named`` is no role.
        """
        roles = [field.name for field in fields(self)]
        for role in named:
            if role not in roles:
                hint = nearest(role, roles)
                raise ConfigurationError(f"data.fields.{role}: allowed are {listing(roles)}{hint}")
        return replace(self, **named)


def to_examples(rows: Sequence[Row], names: Fields, named: Mapping[str, str]) -> list[Example]:
    """Turn rows into examples.

    Args:
        rows: at least one row.
        names: the field of each role.
        named: the roles whose field the user named; such a field has to exist.

    Raises:
        ResourceError: a field exists in no row, or rows are malformed (the first ten are listed).
    """
    _check_fields_exist(rows, names, named)
    problems = [f"{row.place}: {problem}" for row in rows if (problem := _problem(row.value, names))]
    if problems:
        shown = "\n    ".join(problems[:MOST_LISTED])
        more = f"\n    and {len(problems) - MOST_LISTED} more" if len(problems) > MOST_LISTED else ""
        raise ResourceError(f"{len(problems)} of {len(rows)} rows are malformed\n    {shown}{more}")
    return [_example(row.value, names) for row in rows if isinstance(row.value, dict)]


def _check_fields_exist(rows: Sequence[Row], names: Fields, named: Mapping[str, str]) -> None:
    known = dict.fromkeys(key for row in rows if isinstance(row.value, dict) for key in row.value)
    for role in dict.fromkeys((*REQUIRED, *named)):
        name = getattr(names, role)
        if known and name not in known:
            where = rows[0].place.rpartition(":")[0]
            raise ResourceError(
                f"{where}: data.fields.{role} = {name}: no row has this field{nearest(name, known)}\n"
                f"    the rows have {listing(known)}"
            )


def _problem(value: object, names: Fields) -> str:
    """Return what is wrong with a row, or an empty string."""
    if not isinstance(value, dict):
        return f"expected an object, found {type_name(value)}"
    problems = [
        f"{value.repeated} is given twice" if isinstance(value, Repeating) else "",
        _text_problem(value, names.instruction, required=True),
        _text_problem(value, names.input, required=False),
        _text_problem(value, names.output, required=True),
        _text_problem(value, names.category, required=False),
    ]
    return "; ".join(filter(None, problems))


def _text_problem(row: Mapping[str, object], name: str, *, required: bool) -> str:
    if name not in row:
        return f"{name} is missing" if required else ""
    value = row[name]
    if value is None and not required:
        return ""
    text = text_of(value)
    if text is None:
        return f"{name} is {type_name(value)}, expected a text, a number, true or false"
    return f"{name} holds half of a surrogate pair" if HALF_PAIR.search(text) else ""


def text_of(value: object) -> str | None:
    """Return a value as text; None where it is null, a list, an object, or no number of JSON's."""
    match value:
        case NoNumber():
            return None
        case str():
            return str(value)
        case float() if not math.isfinite(value):
            return None
        case bool() | int() | float():  # of a dataset of the hub; those of a file stand as they are written
            return json.dumps(value)
    return None


def _example(row: Mapping[str, object], names: Fields) -> Example:
    instruction, given, output, category = (
        text_of(row.get(name)) or "" for name in (names.instruction, names.input, names.output, names.category)
    )
    return Example(instruction, given, output, category or None)
