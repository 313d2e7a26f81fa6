"""Records as frames of a chain: each is checked by itself, and bound to all that were before it."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from fedmezo.core.errors import MalformedError
from fedmezo.ledger.codec import HASH_SIZE, pack, unpack
from fedmezo.ledger.records import Header, Record, RoundRecord

MAGIC = b"\x89FMZ\r\n\x1a\n"
VERSION = 1
PREAMBLE = MAGIC + struct.pack("<H", VERSION)

_HEAD = struct.Struct("<IB")
_SEAL = struct.Struct(f"<I{HASH_SIZE}s")


@dataclass(frozen=True, eq=False)
class Link:
    """A record in its place.

    Args:
        record: what it says.
        chain: hash of it and everything before it.
        end: offset of the byte after it.
    """

    record: Record
    chain: bytes
    end: int


@dataclass(frozen=True, eq=False)
class Found:
    """What the bytes of a ledger hold.

    Args:
        links: the valid records, in order, the header first.
        size: of all bytes.
        fault: what is wrong after the last valid record; '' if it is the end.
    """

    links: tuple[Link, ...]
    size: int
    fault: str = ""

    @property
    def end(self) -> int:
        """Offset after the last valid record."""
        return self.links[-1].end if self.links else 0


def first_chain() -> bytes:
    """Return the hash that the first record is bound to."""
    return _hash(PREAMBLE)


def sealed(record: Record, chain: bytes) -> tuple[bytes, bytes]:
    """Return the frame of a record that follows ``chain``, and the hash that the next one follows.

    Raises:
        MalformedError: the record could not be read again; nobody is to find that out when it is too late.
    """
    kind, body = pack(record)
    unpack(kind, body)
    head = _HEAD.pack(len(body), kind)
    following = _hash(chain, head, body)
    return head + body + _SEAL.pack(zlib.crc32(body, zlib.crc32(head)), following), following


def walk(data: bytes) -> Found:
    """Return the valid records of a ledger's bytes, up to the first fault.

    Raises:
        MalformedError: the bytes are no ledger, or one of another version.
    """
    if not data.startswith(PREAMBLE) and not PREAMBLE.startswith(data):
        raise MalformedError(_stranger(data))
    links: list[Link] = []
    try:
        for link in _links(data):
            if fault := _out_of_place(link.record, links):
                raise MalformedError(fault)
            links.append(link)
    except MalformedError as error:
        return Found(tuple(links), len(data), str(error))
    return Found(tuple(links), len(data))


def _links(data: bytes) -> Iterator[Link]:
    if 0 < len(data) < len(PREAMBLE):
        raise MalformedError("the file ends within its first bytes")
    view, at, chain = memoryview(data), len(PREAMBLE), first_chain()
    while at < len(data):
        if len(data) - at < _HEAD.size:
            raise MalformedError("the file ends within a record")
        length, kind = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length + _SEAL.size
        if end > len(data):
            raise MalformedError("the file ends within a record, or the record's length is damaged")
        body = view[at + _HEAD.size : end - _SEAL.size]
        checksum, stated = _SEAL.unpack_from(data, end - _SEAL.size)
        if zlib.crc32(view[at : end - _SEAL.size]) != checksum:
            raise MalformedError("the checksum of the record is another one")
        chain = _hash(chain, view[at : end - _SEAL.size])
        if chain != stated:
            raise MalformedError("the record does not follow those before it")
        yield Link(unpack(kind, body), chain, end)
        at = end


def _out_of_place(record: Record, before: list[Link]) -> str:
    """Return what is wrong with a record being here; empty where nothing is."""
    if isinstance(record, Header):
        return "a second header" if before else ""
    if not before:
        return "the first record is no header"
    done = _rounds_done(before[-1].record)
    wanted = done + 1 if isinstance(record, RoundRecord) else done
    return (
        "" if record.rounds_done == wanted else f"a record of {record.rounds_done} rounds where {wanted} are expected"
    )


def _rounds_done(record: Record) -> int:
    return 0 if isinstance(record, Header) else record.rounds_done


def _stranger(data: bytes) -> str:
    if data.startswith(MAGIC) and len(data) >= len(PREAMBLE):
        (version,) = struct.unpack_from("<H", data, len(MAGIC))
        return f"a ledger of version {version}; this program reads version {VERSION}"
    return "no ledger, or its first bytes are damaged"


def _hash(*parts: bytes | memoryview) -> bytes:
    digest = hashlib.blake2b(digest_size=HASH_SIZE)
    for part in parts:
        digest.update(part)
    return digest.digest()
