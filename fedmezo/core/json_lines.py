"""Files of JSON lines that survive a crash: a line is whole and on the disk, or it is dropped."""

import json
import math
import os
from pathlib import Path
from typing import Any

from fedmezo.core.saving import saving


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Write one line and wait until it is on the disk; a torn line that a crash left before it is dropped."""
    drop_torn_line(path)
    with saving(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def drop_torn_line(path: Path) -> None:
    """Cut off what follows the last end of line."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0 or (file.seek(size - 1) and file.read(1) == b"\n"):
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of the lines that can be read, [] if there is no file; damaged lines are left out."""
    rows = []
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:  # not JSON, or not UTF-8
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def finite(value: Any) -> Any:
    """Return JSON content with null where a number is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
