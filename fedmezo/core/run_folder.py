"""The folder of a run, and what lies where in it."""

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

from fedmezo.core.command_line import command
from fedmezo.core.errors import ConfigurationError, ResourceError
from fedmezo.core.files import SCRATCH, check_folder, finite, saving

LEDGER = "ledger.bin"


@dataclass(frozen=True)
class RunFolder:
    """Paths inside ``outdir/expname``."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def ledger(self) -> Path:
        """The log that determines the run."""
        return self.path / LEDGER

    @property
    def snapshots(self) -> Path:
        """Parameters to resume from."""
        return self.path / "snapshots"

    @property
    def metrics(self) -> Path:
        """A line a round."""
        return self.path / "metrics.jsonl"

    @property
    def examples(self) -> Path:
        """The loss of every evaluated example."""
        return self.path / "evaluations.jsonl"

    @property
    def answers(self) -> Path:
        """What the model answered, and the scores."""
        return self.path / "answers.jsonl"

    @property
    def log(self) -> Path:
        """Everything that was said."""
        return self.path / "run.log"

    @contextmanager
    def read(self) -> Iterator[None]:
        """Keep processes that train out of the run inside the block; where that cannot be, as nobody may write, go on.

        Raises:
            ResourceError: a process is at work on the run.
        """
        try:
            file = (self.path / ".lock").open("a")
        except OSError:
            yield
            return
        with file:
            self._lock(file, fcntl.LOCK_SH)
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the run inside the block; a process that dies lets go.

        Raises:
            ResourceError: another process is at work on the run.
        """
        with (self.path / ".lock").open("w") as file:
            self._lock(file, fcntl.LOCK_EX)
            yield

    def _lock(self, file: IO[str], kind: int) -> None:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResourceError(f"{self.path}\n    another process is at work on this run") from error

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file, whole or not at all."""
        self.write_text(name, json.dumps(finite(content), indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, content: str) -> None:
        """Write a text file, whole or not at all."""
        with saving(self.path / name), _scratch_file(self.path / name, content) as scratch:
            scratch.replace(self.path / name)

    def write_folder(self, name: str, write: Callable[[Path], None]) -> None:
        """Fill a folder with ``write(scratch)`` and put it in place of what was there."""
        with saving(self.path / name), self.scratch() as private:
            scratch = private / name  # a folder of the user's own access rights, which the private one lacks
            scratch.mkdir()
            write(scratch)
            if (self.path / name).exists():
                shutil.rmtree(self.path / name)
            scratch.replace(self.path / name)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder in the run's own that is gone after the block."""
        with tempfile.TemporaryDirectory(dir=self.path, suffix=SCRATCH) as private:
            yield Path(private)

    def clear_scratch(self) -> None:
        """Remove what a process that was killed has left half-written; the folder is locked."""
        for path in list(self.path.rglob(f"*{SCRATCH}")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def check_free(outdir: str, expname: str) -> None:
    """Make sure that a run of this name would overwrite nothing.

    Raises:
        ConfigurationError: a run of that name exists.
    """
    path = Path(outdir) / expname
    try:
        free = not expname or not _taken(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"expname = {expname}\n    this cannot be a folder's name: {error}") from error
    if not free:
        raise _exists(expname, path)


def _exists(expname: str, path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"expname = {expname}\n    {path} exists and is not overwritten; choose another name, "
        f"or go on with that run: {command('resume', str(path))}"
    )


def check_place(outdir: str, expname: str) -> None:
    """Make sure that a run's folder can be made.

    Raises:
        ConfigurationError: a file is in its place, or its name cannot be one.
        ResourceError: it cannot be made.
    """
    check_folder(f"outdir = {outdir}", Path(outdir))
    if expname:
        check_folder(f"expname = {expname}", Path(outdir) / expname)


def create(outdir: str, expname: str, default_name: str, config: str) -> RunFolder:
    """Make the folder of a new run, with its configuration in it.

    Args:
        outdir: where.
        expname: its name; '' for a numbered one after ``default_name``.
        default_name: the name of the configuration's file.
        config: the resolved configuration, with which a run can go on from the first moment.

    Raises:
        ConfigurationError: a run of that name exists.
        ResourceError: the folder cannot be made.
    """
    check_free(outdir, expname)
    names = [expname] if expname else _numbered(default_name)
    for path in (Path(outdir) / name for name in names):
        if not _taken(path) and _claimed(path, config):
            return RunFolder(path)
    raise _exists(expname, path)


def _claimed(path: Path, config: str) -> bool:
    """Make a folder that holds a configuration; return False if another process has done so meanwhile.

    A link can be made once: the file is there with all of its content, or it is another's.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"outdir = {path.parent}\n    the run's folder cannot be made: {error}") from error
    with saving(path / "config.yaml"), _scratch_file(path / "config.yaml", config) as scratch:
        try:
            os.link(scratch, path / "config.yaml")
        except (FileExistsError, FileNotFoundError):  # the latter: who has the folder has cleared it
            return False
        except OSError:  # a file system without links
            return _written_first(path / "config.yaml", config)
    return True


def _written_first(path: Path, content: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


@contextmanager
def _scratch_file(path: Path, content: str) -> Iterator[Path]:
    """Give a file of this process alone, its content on the disk; what is left of it after the block is removed."""
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{SCRATCH}")
    try:
        with scratch.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def _taken(path: Path) -> bool:
    """Return whether something is there; a folder without a configuration is a run that was killed at its start."""
    if not path.is_dir():
        return path.exists()
    return any(entry.suffix != SCRATCH for entry in path.iterdir())


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def existing(path: Path) -> RunFolder:
    """Return the folder of a run that is there.

    Raises:
        ResourceError: there is none.
    """
    folder = RunFolder(path)
    if not folder.config.is_file():
        raise ResourceError(f"{path}\n    there is no run in this folder (no config.yaml)")
    return folder
