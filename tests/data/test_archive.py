"""Archives: only regular files that are where they say, and nothing that leads outside."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmezo.core.errors import ResourceError
from fedmezo.data import archive
from fedmezo.data.archive import read_members


def packed(*members: tuple[str, bytes], add: Callable[[tarfile.TarFile], None] = lambda file: None) -> bytes:
    """Return an archive of some files, with whatever else is added to it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
        add(file)
    return target.getvalue()


def link(kind: bytes, name: str = "a/link") -> Callable[[tarfile.TarFile], None]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, "/etc/passwd"
    return lambda file: file.addfile(entry)


def test_members_are_read_in_the_order_they_are_asked_for() -> None:
    content = packed(("a/one", b"1"), ("a/two", b"2"), ("a/three", b"3"))
    assert read_members("it", content, ["a/two", "a/one"]) == [b"2", b"1"]


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc/outside"])
def test_a_path_outside_is_refused_even_if_nobody_asked_for_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResourceError) as caught:
        read_members("it.tar.gz", packed(("a/one", b"1"), (name, b"2")), ["a/one"])
    assert str(caught.value) == f"it.tar.gz: {name} is a path outside of the archive; nothing of the archive was used"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    with pytest.raises(ResourceError, match="a/link is neither a file nor a folder; nothing of the archive was used"):
        read_members("it", packed(("a/one", b"1"), add=link(kind)), ["a/one"])


def test_a_missing_member_and_a_folder_in_its_place_are_told() -> None:
    for content in (packed(("a/other", b"")), packed(add=link(tarfile.DIRTYPE, "a/one"))):
        with pytest.raises(ResourceError, match=r"^it: there is no file a/one in the archive$"):
            read_members("it", content, ["a/one"])


@pytest.mark.parametrize(
    "content",
    [b"", b"text", packed(("a/one", bytes(range(256)) * 90))[:-60], packed(("a/one", b"1" * 9000))[:40]],
    ids=["nothing", "text", "without its end", "its head"],
)
def test_what_is_no_archive_is_told(content: bytes) -> None:
    with pytest.raises(ResourceError, match=r"^it: no archive that can be read \(\.tar\.gz\): "):
        read_members("it", content, ["a/one"])


def test_a_member_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 9)
    assert read_members("it", packed(("a/one", b"1" * 9)), ["a/one"]) == [b"1" * 9]
    with pytest.raises(ResourceError, match="a/one has 10 bytes, expected at most 9"):
        read_members("it", packed(("a/one", b"1" * 10)), ["a/one"])
