"""Reading the rows of a ``.json`` file (a list of objects) or a ``.jsonl`` file (one object a line)."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fedmezo.core.errors import ResourceError

SUFFIXES = (".json", ".jsonl")  # in capitals, too
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class Number(str):
    """A number as it stands in the file: 1.50 is not 1.5, and no number is too long."""

    __slots__ = ()


class NoNumber(str):
    """NaN or an infinity, which Python writes although JSON has neither."""

    __slots__ = ()


class Repeating(dict[str, Any]):
    """An object that names a key more than once. ``repeated`` is the first such key."""

    def __init__(self, pairs: Sequence[tuple[str, Any]], repeated: str) -> None:
        super().__init__(pairs)
        self.repeated = repeated


TYPES: dict[type, str] = {
    **{dict: "an object", Repeating: "an object", list: "a list", str: "a text", type(None): "null"},
    **{bool: "a truth value", Number: "a number", int: "a number", float: "a number"},
}


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
    rows = _lines(path, text) if _of_lines(path) else _array(path, text)
    if not rows:
        raise ResourceError(f"{path}: the file holds no rows")
    return rows


def _of_lines(path: Path) -> bool:
    return path.suffix.lower() == ".jsonl"


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResourceError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        packed = next((name for start, name in PACKED.items() if content.startswith(start)), "")
        if packed:
            raise ResourceError(f"{path}: packed ({packed}), expected text; unpack it first") from error
        line = content.count(b"\n", 0, error.start) + 1
        raise ResourceError(f"{path}:{line}: not UTF-8 text (byte {error.start} of the file)") from error


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
        return json.loads(
            text, object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=NoNumber
        )
    except json.JSONDecodeError as error:
        place = f"{path}:{line + error.lineno - 1}, column {error.colno}"
        hint = "; a file of one object a line is named .jsonl" if _is_json_lines(path, error) else ""
        raise ResourceError(f"{place}: not valid JSON: {error.msg}{hint}") from error
    except RecursionError as error:
        raise ResourceError(f"{path}:{line}: nested too deeply") from error


def _is_json_lines(path: Path, error: json.JSONDecodeError) -> bool:
    return not _of_lines(path) and error.msg == "Extra data"


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    keys = [key for key, _ in pairs]
    return Repeating(pairs, next(key for place, key in enumerate(keys) if key in keys[:place]))


def type_name(value: object) -> str:
    """Return what JSON calls the type of a value, with its article; NaN and infinities by their names."""
    if isinstance(value, NoNumber) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return TYPES.get(type(value), type(value).__name__)
