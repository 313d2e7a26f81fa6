"""Datasets that are files: the user's own, else local ones under ``data.root``, else those of the hub."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from fedmezo.data.examples import Dataset, Example
from fedmezo.data.nearest import listing, nearest_name
from fedmezo.data.sources.fields import Fields, to_examples
from fedmezo.data.sources.hub import HubDataset, hub_rows
from fedmezo.data.sources.rows import Row, read_rows
from fedmezo.data.sources.source import Request
from fedmezo.errors import ConfigurationError, ResourceError

SUFFIXES = (".json", ".jsonl")


class FileSource:
    """A dataset of one file, or of a training and a test file; a subclass declares which.

    Attributes:
        candidates: pairs (file, test file or empty) to look for under ``data.root`` and its folder of the
            dataset's name, in this order.
        hub: where the hub has it, None if nowhere.
        fields: the field names of its rows.
    """

    candidates: ClassVar[tuple[tuple[str, str], ...]] = ()
    hub: ClassVar[HubDataset | None] = None
    fields: ClassVar[Fields] = Fields()

    def adapt(self, example: Example) -> Example:
        """Return the example as it is trained on."""
        return example

    def load(self, request: Request) -> Dataset:
        """Load the named file, the first local candidate, or the hub's copy (see :class:`Source`)."""
        if request.file:
            path = find_file(request.file, request.root)
            return self._dataset(request, read_rows(path), [], str(path))
        for path, test in self._local_candidates(request):
            if path.is_file():
                return self._load_local(request, path, test)
        return self._load_from_hub(request)

    def _load_local(self, request: Request, path: Path, test: Path | None) -> Dataset:
        own_test = read_rows(test) if test and test.is_file() else []
        return self._dataset(request, read_rows(path), own_test, f"{path} and {test}" if own_test else str(path))

    def _load_from_hub(self, request: Request) -> Dataset:
        if self.hub is None:
            raise ResourceError(self._nothing_found(request, "no hub has it"))
        try:
            rows = hub_rows(self.hub, self.hub.split)
            own_test = hub_rows(self.hub, self.hub.test_split) if self.hub.test_split else []
        except ResourceError as error:
            raise ResourceError(self._nothing_found(request, str(error))) from error
        return self._dataset(request, rows, own_test, f"{self.hub.path} of the hub")

    def _dataset(self, request: Request, rows: list[Row], own_test: list[Row], source: str) -> Dataset:
        names = self.fields.override(request.fields)
        parts = [to_examples(part, names, request.fields) for part in (rows, own_test) if part]
        examples = tuple(self.adapt(example) for part in parts for example in part)
        return Dataset(request.name, examples, len(own_test), source)

    def _local_candidates(self, request: Request) -> Iterator[tuple[Path, Path | None]]:
        for folder in self._folders(request):
            for name, test in self.candidates:
                yield folder / name, folder / test if test else None

    def _folders(self, request: Request) -> tuple[Path, Path]:
        return request.root, request.root / request.name.partition("@")[0]

    def _nothing_found(self, request: Request, reason: str) -> str:
        names = " or ".join(f"{name} (with {test})" if test else name for name, test in self.candidates)
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
        ResourceError: there is no such file, or it ends neither in .json nor in .jsonl.
    """
    path = next((path for path in (root / name, Path(name)) if path.is_file()), None)
    if path is None:
        folder = (root / name).parent
        known = sorted(file.name for file in folder.glob("*") if file.suffix in SUFFIXES)
        hint = nearest_name(Path(name).name, known)
        raise ResourceError(f"{root / name}: no such file{hint}\n    {folder} has {listing(known)}")
    if path.suffix not in SUFFIXES:
        raise ResourceError(f"{path}: expected a file ending in {' or '.join(SUFFIXES)}")
    return path
