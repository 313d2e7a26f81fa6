"""Reading the rows of a ``.json`` file (a list of objects) or a ``.jsonl`` file (one object a line)."""

import json
from pathlib import Path
from typing import NamedTuple

from fedmezo.errors import ResourceError


class Row(NamedTuple):
    """One row and the place a message names it by: ``FILE:LINE``, or ``FILE: row N`` in a ``.json`` file."""

    place: str
    value: object


def read_rows(path: Path) -> list[Row]:
    """Read every row of a file, UTF-8 with or without a byte order mark.

    Raises:
        ResourceError: the file cannot be read, is not UTF-8, is not valid JSON, or holds no row.
    """
    text = _read_text(path)
    rows = _lines(path, text) if path.suffix == ".jsonl" else _array(path, text)
    if not rows:
        raise ResourceError(f"{path}: the file holds no rows")
    return rows


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ResourceError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ResourceError(f"{path}: not UTF-8 text (byte {error.start})") from error


def _lines(path: Path, text: str) -> list[Row]:
    if text.lstrip().startswith("["):
        raise ResourceError(
            f"{path}: begins with a list, expected one object a line; a file of one list is named .json"
        )
    # Only "\n" separates rows: str.splitlines would also cut at characters that JSON allows inside strings.
    lines = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
    return [Row(f"{path}:{number}", _parse(path, line, number)) for number, line in lines]


def _array(path: Path, text: str) -> list[Row]:
    if not text.strip():
        return []
    values = _parse(path, text)
    if not isinstance(values, list):
        raise ResourceError(f"{path}: expected a list of objects, found {type_name(values)}")
    return [Row(f"{path}: row {number}", value) for number, value in enumerate(values, start=1)]


def _parse(path: Path, text: str, line: int = 1) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}:{line + error.lineno - 1}, column {error.colno}"
        hint = "; a file of one object a line is named .jsonl" if _is_json_lines(path, error) else ""
        raise ResourceError(f"{place}: not valid JSON: {error.msg}{hint}") from error
    except RecursionError as error:
        raise ResourceError(f"{path}:{line}: nested too deeply") from error


def _is_json_lines(path: Path, error: json.JSONDecodeError) -> bool:
    return path.suffix != ".jsonl" and error.msg == "Extra data"


def type_name(value: object) -> str:
    """Return what JSON calls the type of a value, with its article."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
