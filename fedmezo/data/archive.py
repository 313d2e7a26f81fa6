"""Archives that are read in memory: no name in one leads anywhere, and nothing in one is executed."""

import io
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

from fedmezo.core.errors import ResourceError

MOST = 64 << 20  # bytes of a member; what is packed may say more of itself than it holds


def read_members(place: str, content: bytes, names: Sequence[str]) -> list[bytes]:
    """Return the content of members of a gzipped tar archive.

    Args:
        place: of the archive, for messages.
        content: of the archive.
        names: of regular members.

    Raises:
        ResourceError: it is no such archive, one is missing or larger than 64 MiB, or a name in it leads outside.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            members = {member.name: member for member in archive}
            for member in members.values():
                _check(place, member)
            return [_content(place, archive, members.get(name), name) for name in names]
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ResourceError(f"{place}: no archive that can be read (.tar.gz): {error}") from error


def _check(place: str, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
        kind = "a path outside of the archive" if member.isreg() or member.isdir() else "neither a file nor a folder"
        raise ResourceError(f"{place}: {member.name} is {kind}; nothing of the archive was used")


def _content(place: str, archive: tarfile.TarFile, member: tarfile.TarInfo | None, name: str) -> bytes:
    file = archive.extractfile(member) if member is not None and member.isreg() else None
    if file is None or member is None:
        raise ResourceError(f"{place}: there is no file {name} in the archive")
    if member.size > MOST:
        raise ResourceError(f"{place}: {name} has {member.size:,} bytes, expected at most {MOST:,}")
    return file.read()
