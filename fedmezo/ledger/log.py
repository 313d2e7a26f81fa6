"""An append-only file of records, a JSON object a line, durable before it is visible."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fedmezo.errors import ResourceError
from fedmezo.ledger.lines import append_line, drop_torn_line
from fedmezo.ledger.records import EvaluationRecord, RoundRecord

Record = RoundRecord | EvaluationRecord
KINDS: dict[str, type[RoundRecord] | type[EvaluationRecord]] = {
    "round": RoundRecord,
    "evaluation": EvaluationRecord,
}


class Log:
    """The ledger file of a run.

    The first line is a header: what the run started from. A line torn by a crash at the end of the file is dropped.

    Args:
        path: of the file; made on the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, header: dict[str, Any]) -> None:
        """Begin a new ledger, or check that an existing one has the same header.

        Raises:
            ResourceError: the run in this folder started from something else.
        """
        rows = list(self._rows())
        if not rows:
            append_line(self.path, {"kind": "header", **header})
            return
        differing = [key for key, value in header.items() if rows[0].get(key) != value]
        if differing:
            raise ResourceError(
                f"{self.path}\n    this run began with another {', '.join(differing)}: its configuration, "
                "its data, files of extensions or criteria, the model or the packages have changed since\n"
                "    put them back to go on with it, or begin a new run with another expname"
            )

    def append(self, record: Record) -> None:
        """Write a record and wait until it is on the disk."""
        append_line(self.path, record.to_json())

    def records(self) -> Iterator[Record]:
        """Yield the records in order."""
        for number, row in enumerate(self._rows(), start=1):
            if row.get("kind") == "header":
                continue
            try:
                yield KINDS[row["kind"]].from_json(row)
            except (KeyError, TypeError, AttributeError) as error:
                raise self._damaged(number, f"no record of this version: {error!r}") from error

    def _rows(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        drop_torn_line(self.path)
        for number, line in enumerate(self.path.read_bytes().splitlines(), start=1):
            try:
                row = json.loads(line)
            except ValueError as error:  # not JSON, or not UTF-8
                raise self._damaged(number, str(error)) from error
            if not isinstance(row, dict):
                raise self._damaged(number, "not an object")
            yield row

    def _damaged(self, number: int, reason: str) -> ResourceError:
        return ResourceError(f"{self.path}:{number}\n    the ledger is damaged here: {reason}")
