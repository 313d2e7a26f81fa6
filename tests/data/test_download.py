"""Downloads from a server on this machine: broken off and resumed, changed, damaged, missing."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fedmezo.core.errors import ResourceError
from fedmezo.data.download import DownloadError, WebFile, fetch

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server has, how it behaves, and what it did."""

    url: str = ""
    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    lengths: bool = True
    break_after: int | None = None
    shift: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a GET, as far as ``break_after`` allows."""
        given = handler.headers.get("Range", "")
        self.asked.append(given)
        if self.status != 200:
            return handler.send_error(self.status)
        resumes = self.ranges and given and handler.headers.get("If-Range") == self.etag
        start = int(given.removeprefix("bytes=").removesuffix("-")) if resumes else 0
        if resumes and start >= len(self.content):
            return handler.send_error(416)
        body = self.content[start + self.shift if resumes else 0 :]
        handler.send_response(206 if resumes else 200)
        if resumes:
            handler.send_header(
                "Content-Range", f"bytes {start + self.shift}-{len(self.content) - 1}/{len(self.content)}"
            )
        if self.etag:
            handler.send_header("ETag", self.etag)
        if self.lengths:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        self.sent.append(len(body[: self.break_after]))  # before the client can have it
        handler.wfile.write(body[: self.break_after])
        return None


@pytest.fixture
def site() -> Iterator[Site]:
    here = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}/rows.json"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        server.shutdown()
        thread.join()


def break_off(site: Site, folder: Path, after: int = 100_000) -> None:
    site.break_after = after
    with pytest.raises(DownloadError, match=r"broke off after 100,000 of 512,000 bytes \(the same command goes on"):
        fetch(WebFile("rows.json", site.url), folder)
    site.break_after = None
    assert (folder / "rows.json.part").stat().st_size == after and not (folder / "rows.json").exists()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"rows.json.lock"}


@pytest.mark.parametrize("sha256", ["", SHA256])
def test_a_file_is_downloaded_once(site: Site, tmp_path: Path, sha256: str) -> None:
    for _ in range(2):
        path = fetch(WebFile("rows.json", site.url, sha256), tmp_path / "new" / "folder")
        assert path == tmp_path / "new" / "folder" / "rows.json" and path.read_bytes() == CONTENT
    assert site.asked == [""]
    assert names(path.parent) == {"rows.json"} | (set() if sha256 else {"rows.json.sha256"})


def test_the_record_is_what_sha256sum_reads(site: Site, tmp_path: Path) -> None:
    fetch(WebFile("rows.json", site.url), tmp_path)
    assert (tmp_path / "rows.json.sha256").read_text() == f"{SHA256}  rows.json\n"


def test_a_download_that_broke_off_is_resumed_with_the_rest_alone(site: Site, tmp_path: Path) -> None:
    break_off(site, tmp_path)
    assert fetch(WebFile("rows.json", site.url, SHA256), tmp_path).read_bytes() == CONTENT
    assert site.asked == ["", "bytes=100000-"]
    assert site.sent == [100_000, 412_000]
    assert names(tmp_path) == {"rows.json"}


def test_it_may_break_off_more_than_once(site: Site, tmp_path: Path) -> None:
    break_off(site, tmp_path)
    site.break_after = 50_000
    with pytest.raises(DownloadError, match="after 150,000 of 512,000"):
        fetch(WebFile("rows.json", site.url), tmp_path)
    site.break_after = None
    assert fetch(WebFile("rows.json", site.url), tmp_path).read_bytes() == CONTENT
    assert site.sent == [100_000, 50_000, 362_000]


def changed(site: Site) -> None:
    site.content, site.etag = bytes(reversed(CONTENT)), '"two"'


def without_ranges(site: Site) -> None:
    site.ranges = False


def another_range(site: Site) -> None:
    site.shift = 5


def shorter(site: Site) -> None:
    site.content = CONTENT[:90_000]


@pytest.mark.parametrize("change", [changed, without_ranges, another_range, shorter])
def test_what_cannot_be_continued_is_downloaded_anew(
    site: Site, tmp_path: Path, change: Callable[[Site], None]
) -> None:
    break_off(site, tmp_path)
    change(site)
    assert fetch(WebFile("rows.json", site.url), tmp_path).read_bytes() == site.content
    assert names(tmp_path) == {"rows.json", "rows.json.sha256"}


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_promise_of_equal_bytes_nothing_is_continued(site: Site, tmp_path: Path, etag: str) -> None:
    site.etag = etag
    break_off(site, tmp_path)
    assert fetch(WebFile("rows.json", site.url), tmp_path).read_bytes() == CONTENT
    assert site.asked == ["", ""]


def test_a_server_that_tells_no_length_is_believed(site: Site, tmp_path: Path) -> None:
    site.lengths = False
    assert fetch(WebFile("rows.json", site.url, SHA256), tmp_path).read_bytes() == CONTENT


def test_another_file_than_expected_is_not_kept(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="not the file that is expected"):
        fetch(WebFile("rows.json", site.url, "0" * 64), tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("sha256", ["", SHA256])
def test_a_file_that_changed_on_the_disk_is_refused_until_deleted(site: Site, tmp_path: Path, sha256: str) -> None:
    file = WebFile("rows.json", site.url, sha256)
    path = fetch(file, tmp_path)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ResourceError, match="damaged, or changed since") as caught:
        fetch(file, tmp_path)
    assert not isinstance(caught.value, DownloadError) and caught.value.exit_code == 3
    path.unlink()
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_the_first_content_of_a_file_without_a_checksum_stays_the_expected_one(site: Site, tmp_path: Path) -> None:
    fetch(WebFile("rows.json", site.url), tmp_path).unlink()
    changed(site)
    with pytest.raises(ResourceError, match=r"or delete .*rows\.json\.sha256"):
        fetch(WebFile("rows.json", site.url), tmp_path)
    (tmp_path / "rows.json.sha256").unlink()
    assert fetch(WebFile("rows.json", site.url), tmp_path).read_bytes() == site.content


@pytest.mark.parametrize(("status", "words"), [(404, "404 Not Found"), (503, "503 Service Unavailable")])
def test_a_refusal_is_told(site: Site, tmp_path: Path, status: int, words: str) -> None:
    site.status = status
    with pytest.raises(DownloadError, match=f"rows.json cannot be had: {words}"):
        fetch(WebFile("rows.json", site.url), tmp_path)
    assert names(tmp_path) == set()


def test_a_refusal_keeps_what_is_there_to_go_on_from(site: Site, tmp_path: Path) -> None:
    break_off(site, tmp_path)
    site.status = 503
    with pytest.raises(DownloadError):
        fetch(WebFile("rows.json", site.url), tmp_path)
    site.status = 200
    fetch(WebFile("rows.json", site.url), tmp_path)
    assert site.sent == [100_000, 412_000]


def test_nobody_there_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match="Connection refused"):
            fetch(WebFile("rows.json", f"http://127.0.0.1:{taken.getsockname()[1]}/rows.json"), tmp_path)


def test_a_silent_server_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedmezo.data.download.TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DownloadError, match="timed out"):
        fetch(WebFile("rows.json", f"http://127.0.0.1:{silent.getsockname()[1]}/rows.json"), tmp_path)


def test_a_folder_that_cannot_be_written_is_a_resource_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be read or written"):
        fetch(WebFile("rows.json", site.url), tmp_path / "file")


def test_two_at_once_download_once(site: Site, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=fetch, args=(WebFile("rows.json", site.url, SHA256), tmp_path)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.asked == [""] and (tmp_path / "rows.json").read_bytes() == CONTENT
