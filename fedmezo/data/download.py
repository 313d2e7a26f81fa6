"""Files of the web: downloaded once, resumed where a download broke off, and verified whenever they are read."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO

from tqdm import tqdm

from fedmezo.core.cache import locked, sha256_of
from fedmezo.core.errors import ResourceError
from fedmezo.core.network import check_connection, within

TIMEOUT = 10.0  # seconds without a byte
PATIENCE = 30.0  # seconds for the beginning of an answer
SLOWEST = 100.0  # bytes a second, over as long
CHUNK = 1 << 16
NETWORK = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError, ValueError)


class DownloadError(ResourceError):
    """A file cannot be had from the web; the message says why."""


@dataclass(frozen=True)
class WebFile:
    """A file of the web.

    Attributes:
        name: what it is called on this machine.
        url: where it is.
        sha256: of its content, 64 hexadecimal digits. Empty where nobody published it: then the first download's is
            kept in ``NAME.sha256`` beside the file, and has to stay the same.
    """

    name: str
    url: str
    sha256: str = ""


def fetch(file: WebFile, folder: Path) -> Path:
    """Return the verified copy of a file in a folder, which it is downloaded to on first use.

    A download goes to ``NAME.part``; where one broke off, the next call goes on.

    Raises:
        ConfigurationError: a proxy of the environment is no address.
        DownloadError: the file is not there yet, and cannot be had from the web.
        ResourceError: its content is not what it should be, or the folder cannot be written.
    """
    path = folder / file.name
    try:
        if path.is_file():  # whole, as it was renamed into its place; which may be read-only now
            if not _is_sound(file, path, path):
                raise ResourceError(
                    f"{path}\n    damaged, or changed since it was downloaded: its SHA-256 is another\n"
                    "    delete it, and the same command downloads it again"
                )
            return path
        folder.mkdir(parents=True, exist_ok=True)
        with locked(_beside(path, "lock")):
            if not path.is_file():
                _download(file, path)
    except NETWORK as error:
        raise DownloadError(f"{file.url} cannot be had: {_reason(error)}") from error
    except OSError as error:
        raise ResourceError(
            f"{path}: cannot be read or written: {error.strerror}; data.root or FEDMEZO_CACHE names another folder"
        ) from error
    return path


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _download(file: WebFile, path: Path) -> None:
    part = _beside(path, "part")
    _fill(file.url, part)
    if not _is_sound(file, path, part):
        part.unlink()
        raise ResourceError(
            f"{file.url}\n    not the file that is expected: its SHA-256 is another\n"
            f"    damaged on the way (try again) or changed; to accept a change, put it into {path.parent} yourself"
            + ("" if file.sha256 else f" or delete {_beside(path, 'sha256')}")
        )
    part.replace(path)


def _fill(url: str, part: Path) -> None:
    """Download to ``part``, from its end on if the server still has the same file."""
    tag = _beside(part, "etag")
    with _ask(url, part, tag) as answer:
        start = part.stat().st_size if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
        missing = answer.length  # None where the server tells none, or nonsense
        total = None if missing is None else start + missing
        tag.write_text(answer.headers.get("ETag", ""), encoding="utf-8")
        with part.open("ab" if start else "wb") as target:
            _copy(answer, target, start, total)
    size = part.stat().st_size
    if total is not None and size != total:
        raise DownloadError(f"{url} broke off after {size:,} of {total:,} bytes (the same command goes on from there)")
    tag.unlink()


def _ask(url: str, part: Path, tag: Path) -> HTTPResponse:
    """Ask for the rest of a file, or for all of it where there is no beginning yet or it cannot be continued."""
    etag = tag.read_text(encoding="utf-8") if part.is_file() and tag.is_file() else ""
    if not etag.startswith('"'):  # none, or a weak one, W/"...", which does not promise the same bytes
        return _open(url)
    size = part.stat().st_size
    try:
        answer = _open(url, {"Range": f"bytes={size}-", "If-Range": etag})
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return _open(url)
    if answer.status == HTTPStatus.PARTIAL_CONTENT and not _range(answer).startswith(f"bytes {size}-"):
        answer.close()
        return _open(url)
    return answer


def _open(url: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    check_connection()
    request = urllib.request.Request(url, headers={"User-Agent": "fedmezo", **(headers or {})})
    answer: HTTPResponse = within(PATIENCE, lambda: urllib.request.urlopen(request, timeout=TIMEOUT))
    return answer


def _range(answer: HTTPResponse) -> str:
    return answer.headers.get("Content-Range", "")


def _copy(source: HTTPResponse, target: IO[bytes], start: int, total: int | None) -> None:
    # disable=None: a bar on a terminal, nothing elsewhere
    with tqdm(desc="downloading", initial=start, total=total, unit="B", unit_scale=True, disable=None) as bar:
        for chunk in _chunks(source):
            target.write(chunk)
            bar.update(len(chunk))


def _chunks(source: HTTPResponse) -> Iterator[bytes]:
    """Yield what arrives, as long as enough does: a byte now and then keeps a socket's own limit from running out."""
    begin, size = time.monotonic(), 0
    while chunk := source.read1(CHUNK):
        yield chunk
        size += len(chunk)
        seconds = time.monotonic() - begin
        if seconds > PATIENCE:
            if size < SLOWEST * seconds:
                raise TimeoutError(f"it is too slow: {size} bytes in {seconds:.0f} s")
            begin, size = time.monotonic(), 0


def _is_sound(file: WebFile, path: Path, content: Path) -> bool:
    """Return whether a content has the checksum of a file; of a file that has none, the first content's is kept."""
    record = _beside(path, "sha256")
    found = sha256_of(content)
    expected = file.sha256 or (record.read_text(encoding="utf-8")[: len(found)] if record.is_file() else "")
    if not expected:
        record.write_text(f"{found}  {file.name}\n", encoding="utf-8")
    return found == (expected or found)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__
