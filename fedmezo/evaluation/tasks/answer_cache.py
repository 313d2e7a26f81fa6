"""A cache of answers, batch by batch, so that an evaluation that was interrupted goes on where it was."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedmezo.core.files import append_line, whole_lines


class AnswerCache:
    """Answers to whole batches: a batch that is generated again is padded as it would have been.

    Args:
        path: a file of JSON lines; it need not exist.
        settings: all that answers depend on besides the batch; those of other settings are not used.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._settings = settings
        self._known: dict[str, list[str]] = {
            row["batch"]: row["answers"] for row in whole_lines(path) if row.keys() == {"batch", "answers"}
        }

    def find(self, batch: Sequence[Any]) -> list[str] | None:
        """Return the answers to a batch of (prompt, generation settings), None where there are none."""
        return self._known.get(self._key(batch))

    def add(self, batch: Sequence[Any], answers: Sequence[str]) -> None:
        """Put the answers to a batch on the disk."""
        append_line(self._path, {"batch": self._key(batch), "answers": list(answers)})

    def remove(self) -> None:
        """Delete the file: the evaluation is done."""
        self._path.unlink(missing_ok=True)

    def _key(self, batch: Sequence[Any]) -> str:
        content = json.dumps([self._settings, batch], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
