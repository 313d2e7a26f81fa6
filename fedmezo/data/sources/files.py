"""Datasets that are files: the user's own, else local ones under ``data.root``, else those of the web."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.text import alternatives, listing, nearest
from fedmezo.data.download import DownloadError, WebFile, fetch
from fedmezo.data.examples import Dataset, Example
from fedmezo.data.sources.fields import Fields, to_examples
from fedmezo.data.sources.rows import SUFFIXES, read_rows
from fedmezo.data.sources.source import Request


class FileSource:
    """A dataset of one file, or of a training and a test file; a subclass declares which.

    Attributes:
        files: the file, or the training and the test file, with where the web has them.
        also_named: other names of the same files on this machine.
        fields: the field names of its rows.
    """

    files: ClassVar[tuple[WebFile, ...]]
    also_named: ClassVar[tuple[tuple[str, ...], ...]] = ()
    fields: ClassVar[Fields] = Fields()

    def adapt(self, examples: list[Example], request: Request) -> list[Example]:
        """Return the examples as they are trained on."""
        del request
        return examples

    def load(self, request: Request) -> Dataset:
        """Load the named file, local ones, or those of the web (see :class:`Source`)."""
        if request.file:
            paths = [find_file(request.file, request.root)]
        else:
            paths = self._local(request) or self._downloaded(request)
        names = self.fields.override(request.fields)
        parts = [self.adapt(to_examples(read_rows(path), names, request.fields), request) for path in paths]
        examples = tuple(example for part in parts for example in part)
        return Dataset(request.name, examples, sum(map(len, parts[1:])), " and ".join(map(str, paths)))

    def test_file(self, request: Request) -> Path:
        """Return the dataset's own test file: a local one, or that of the web.

        Raises:
            ResourceError: it is neither on this machine nor to be had from the web.
        """
        local = [paths[-1] for paths in self._candidates(request)]
        try:
            return next(filter(is_file, local), None) or fetch(self.files[-1], request.downloads)
        except DownloadError as error:
            known = " or ".join(map(str, local))
            raise ResourceError(f"{request.name}: no local test file, and {error}\n    put it at {known}") from error

    def _local(self, request: Request) -> list[Path]:
        """Return the first of the local files that is there, with its test file if that is, too."""
        for paths in self._candidates(request):
            if is_file(paths[0]):
                return list(filter(is_file, paths))
        return []

    def _downloaded(self, request: Request) -> list[Path]:
        try:
            return [fetch(file, request.downloads) for file in self.files]
        except DownloadError as error:
            raise ResourceError(self._nothing_found(request, str(error))) from error

    def _candidates(self, request: Request) -> Iterator[list[Path]]:
        for folder in self._folders(request):
            for names in self._names():
                yield [folder / name for name in names]

    def _names(self) -> tuple[tuple[str, ...], ...]:
        return tuple(file.name for file in self.files), *self.also_named

    def _folders(self, request: Request) -> tuple[Path, Path]:
        return request.root, request.root / request.name.partition("@")[0]

    def _nothing_found(self, request: Request, reason: str) -> str:
        names = " or ".join(" (with ".join(names) + ")" * (len(names) - 1) for names in self._names())
        folders = " or ".join(str(folder) for folder in self._folders(request))
        return (
            f"data.type = {request.name}: no local file, and {reason}\n"
            f"    put {names} into {folders}, or name a file of yours with data.file\n"
            "    or train on generated data, which needs no download: the same command with\n"
            "        data.type arithmetic@llm"
        )


class AnyFile(FileSource):
    """A file that ``data.type`` itself names: under ``data.root`` or the current folder, or absolute."""

    def load(self, request: Request) -> Dataset:
        """Load the file (see :class:`Source`)."""
        if request.file:
            raise ConfigurationError(f"data.file = {request.file}: data.type names a file already, {request.name}")
        return super().load(replace(request, file=request.name))


def find_file(name: str, root: Path) -> Path:
    """Return the path of a data file, relative to ``root`` or the current folder, or absolute.

    Raises:
        ResourceError: there is no such file, it cannot be read, or its ending is none of those that can be read.
    """
    paths = (root / name, Path(name))
    path = next(filter(is_file, paths), None)
    if path is None:
        raise ResourceError(_not_found(paths))
    if path.suffix.lower() not in SUFFIXES:
        raise ResourceError(f"{path}: expected a file ending in {alternatives(SUFFIXES)}")
    return path


def _not_found(paths: Sequence[Path]) -> str:
    other = next(filter(_mode, paths), None)
    if other is not None:
        found = "a folder" if stat.S_ISDIR(_mode(other)) else "a pipe or a device"
        return f"{other}: expected a file, found {found}"
    folder = paths[0].parent
    known = sorted(file.name for file in folder.glob("*") if file.suffix.lower() in SUFFIXES)
    return f"{paths[0]}: no such file{nearest(paths[-1].name, known)}\n    {folder} has {listing(known)}"


def is_file(path: Path) -> bool:
    """Return whether a path leads to a regular file.

    Raises:
        ResourceError: that cannot be seen.
    """
    return stat.S_ISREG(_mode(path))


def _mode(path: Path) -> int:
    """Return what kind of thing a path leads to, as ``stat`` says it; 0 for nothing."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no name holds a null character
        return 0
    except OSError as error:
        raise ResourceError(f"{path}: cannot be read: {error.strerror}") from error
