"""Reading the rows of a file: ``.json`` (a list of objects), ``.jsonl`` (one object a line), or a table with a header
(``.tsv`` without quotes, ``.csv`` with them, ``.parquet``).
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fedmezo.core.errors import ResourceError

SUFFIXES = (".json", ".jsonl", ".tsv", ".csv", ".parquet")  # in capitals, too
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
    """One row and the place a message names it by: ``FILE:LINE``, or ``FILE: row N`` where rows are no lines."""

    place: str
    value: object


def read_rows(path: Path) -> list[Row]:
    """Read every row of a file, UTF-8 with or without a byte order mark.

    Raises:
        ResourceError: the file cannot be read, is not UTF-8, is not what its ending says, or holds no row.
    """
    suffix = path.suffix.lower()
    rows = _parquet(path) if suffix == ".parquet" else READERS.get(suffix, _array)(path, _read_text(path))
    if not rows:
        raise ResourceError(f"{path}: the file holds no rows")
    return rows


def read_json(path: Path) -> object:
    """Return what a file of JSON holds, UTF-8 with or without a byte order mark; numbers as they stand there.

    Raises:
        ResourceError: the file cannot be read, or is no JSON.
    """
    return _parse(path, _read_text(path))


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


def _tsv(path: Path, text: str) -> list[Row]:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    cells = ((number, line.split("\t")) for number, line in enumerate(lines, start=1) if line.strip())
    return _table(path, cells)


def _csv(path: Path, text: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _table(path, ((reader.line_num, cells) for cells in reader if cells))
    except csv.Error as error:
        raise ResourceError(f"{path}:{reader.line_num}: not valid CSV: {error}") from error


def _table(path: Path, lines: Iterator[tuple[int, list[str]]]) -> list[Row]:
    """Return the lines of a table as objects, whose keys the first of them has."""
    _, header = next(lines, (0, []))
    if repeated := next((name for place, name in enumerate(header) if name in header[:place]), None):
        column = header.index(repeated, header.index(repeated) + 1) + 1
        raise ResourceError(f"{path}:1, column {column}: {repeated} is named twice")
    rows = []
    for number, cells in lines:
        if len(cells) != len(header):
            wrong = f"found {len(cells)} columns, expected {len(header)} ({', '.join(header)})"
            raise ResourceError(f"{path}:{number}, column {min(len(cells), len(header)) + 1}: {wrong}")
        rows.append(Row(f"{path}:{number}", dict(zip(header, cells, strict=True))))
    return rows


def _parquet(path: Path) -> list[Row]:
    import pyarrow.parquet  # heavier than all other formats together

    try:
        values = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise ResourceError(f"{path}: not a Parquet file that can be read: {str(error).splitlines()[0]}") from error
    return [Row(f"{path}: row {number}", value) for number, value in enumerate(values, start=1)]


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


READERS: dict[str, Callable[[Path, str], list[Row]]] = {".jsonl": _lines, ".tsv": _tsv, ".csv": _csv}


def type_name(value: object) -> str:
    """Return what JSON calls the type of a value, with its article; NaN and infinities by their names."""
    if isinstance(value, NoNumber) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return TYPES.get(type(value), type(value).__name__)
