"""The ledger of a run: an append-only file whose records are durable before they count."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from fedmezo.core.errors import ConfigurationError, MalformedError, ResourceError
from fedmezo.core.files import saving
from fedmezo.core.log import LOG
from fedmezo.ledger.chain import PREAMBLE, Found, Link, first_chain, sealed, walk
from fedmezo.ledger.codec import configuration_text
from fedmezo.ledger.records import EvaluationRecord, HashRecord, Header, Record, RoundRecord, StopRecord

Entry = RoundRecord | EvaluationRecord | HashRecord | StopRecord


class Ledger:
    """The records of a file, and appending to it.

    Reading changes nothing on the disk: :meth:`begin` does what a run needs before it goes on.

    Args:
        path: of the file, which need not exist.

    Raises:
        MalformedError: it is no ledger of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = walk(path.read_bytes()) if path.exists() else Found((), 0)
        except MalformedError as error:
            raise MalformedError(f"{path}\n    {error}") from error
        self._links: list[Link] = list(found.links)
        self._size = found.size
        self.fault = found.fault

    @property
    def header(self) -> Header | None:
        """What the run started from; None if that is not recorded yet."""
        first = self._links[0].record if self._links else None
        return first if isinstance(first, Header) else None

    def entries(self) -> Iterator[Entry]:
        """Yield the records after the header, in order."""
        for link in self._links:
            if not isinstance(link.record, Header):
                yield link.record

    def rounds(self) -> list[RoundRecord]:
        """Return the recorded rounds in order."""
        return [record for record in self.entries() if isinstance(record, RoundRecord)]

    def evaluations(self) -> list[EvaluationRecord]:
        """Return the recorded evaluations in order."""
        return [record for record in self.entries() if isinstance(record, EvaluationRecord)]

    def hashes(self) -> dict[int, bytes]:
        """Return the recorded hashes of parameters by the rounds done."""
        found = {record.rounds_done: record.digest for record in self.entries() if isinstance(record, HashRecord)}
        weights = {record.rounds_done: record.digest for record in self.rounds() if record.digest is not None}
        return found | weights

    def has(self, kind: type[Entry], rounds_done: int) -> bool:
        """Return whether there is a record of a kind after so many rounds."""
        return any(isinstance(record, kind) and record.rounds_done == rounds_done for record in self.entries())

    def chains(self) -> dict[int, bytes]:
        """Return the chain's hash after each round, by the rounds done."""
        return {link.record.rounds_done: link.chain for link in self._links if isinstance(link.record, RoundRecord)}

    def following(self, record: Record) -> bytes:
        """Return the chain's hash as it will be once a record is appended."""
        return sealed(record, self._chain)[1]

    def damage(self) -> str:
        """Return where the file stops being valid, and why; '' if it does not."""
        if not self.fault:
            return ""
        return (
            f"{self.path}: damaged from byte {self._end:,} on, record {len(self._links)}: {self.fault}; "
            f"{len(self.rounds())} rounds before it are valid, the last {self._size - self._end:,} bytes are not"
        )

    def begin(self, header: Header) -> None:
        """Write the header of a new ledger; go on with an existing one that began the same.

        What follows the last valid record is set aside, in a file beside the ledger.

        Raises:
            ConfigurationError: the run began with another configuration; the message lists the differing keys.
            ResourceError: it began with another model, other data, or elsewhere; or its header is damaged.
        """
        if self.header is not None:
            check_same(self, header.configuration, header.hashes)
        elif self._size > len(PREAMBLE) + len(sealed(header, first_chain())[0]):  # more than a crash in its first write
            raise MalformedError(f"{self.path}\n    the header is damaged, so that nothing counts: {self.fault}")
        if self.fault:
            self._cut(self._links, self.damage())
        if self.header is None:
            frame, chain = sealed(header, first_chain())
            self._write(PREAMBLE + frame, 0)
            self._links.append(Link(header, chain, len(PREAMBLE) + len(frame)))

    def append(self, record: Record) -> None:
        """Write a record and wait until it is on the disk.

        Raises:
            ResourceError: it cannot be written; the file is as it was.
        """
        frame, chain = sealed(record, self._chain)
        end = self._end
        self._write(frame, end)
        self._links.append(Link(record, chain, end + len(frame)))

    def roll_back(self, rounds_done: int, why: str) -> None:
        """Set everything aside that was recorded after the round that ended with ``rounds_done`` rounds."""
        kept = [
            link for link in self._links if isinstance(link.record, Header) or link.record.rounds_done <= rounds_done
        ]
        self._cut(kept, f"{self.path}: {why}")

    @property
    def _end(self) -> int:
        return self._links[-1].end if self._links else len(PREAMBLE)

    @property
    def _chain(self) -> bytes:
        return self._links[-1].chain if self._links else first_chain()

    def _cut(self, kept: list[Link], why: str) -> None:
        end = kept[-1].end if kept else 0
        with self.path.open("rb") as file:
            file.seek(end)
            rest = file.read()
        aside = _unused(self.path.with_suffix(f".dropped{self.path.suffix}"))
        _durably(aside, rest)
        os.truncate(self.path, end)
        self._links = list(kept)
        self._size, self.fault = end, ""
        LOG.warning(f"{why}\n    they are set aside in {aside}, and the run goes on from round {len(self.rounds())}")

    def _write(self, data: bytes, at: int) -> None:
        new = not self.path.exists()
        with saving(self.path):
            with self.path.open("wb" if new else "r+b") as file:
                try:
                    file.seek(at)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        file.truncate(at)
                    raise
            if new:
                _sync_folder(self.path.parent)


def differing_keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a line for each key whose value differs, with both values."""
    keys = sorted({*before, *now}, key=str)
    return [
        f"{key}: it was {_shown(before, key)}, now it is {_shown(now, key)}"
        for key in keys
        if _shown(before, key) != _shown(now, key)
    ]


def _shown(values: Mapping[str, Any], key: str) -> str:
    return configuration_text(values[key]) if key in values else "not there"


def check_same(ledger: Ledger, configuration: Mapping[str, Any], hashes: Mapping[str, bytes]) -> None:
    """Make sure that a run began with a configuration and with what some hashes are of.

    Raises:
        ConfigurationError: it began with another configuration; the message lists the differing keys.
        ResourceError: it began with something else.
    """
    before = ledger.header
    assert before is not None
    if keys := differing_keys(before.configuration, configuration):
        listed = "\n    ".join(keys)
        raise ConfigurationError(
            f"{ledger.path}\n    this run began with another configuration:\n    {listed}\n"
            "    put it back to go on with this run, or begin a new one with another expname"
        )
    compared = hashes.keys() - {"configuration"}  # whose keys were compared; which of them count may have changed
    differing = [name for name in hashes if name in compared and before.hashes[name] != hashes[name]]
    if differing:
        raise ResourceError(
            f"{ledger.path}\n    this run began with another {', '.join(differing)}: the model, the data, files of "
            "extensions or criteria, or the packages have changed since\n"
            "    put them back to go on with it, or begin a new run with another expname"
        )


def _unused(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found


def _durably(path: Path, data: bytes) -> None:
    try:
        with saving(path), path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except ResourceError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
