"""The standard streams of a program: what cannot be written to them is lost, and costs nothing else."""

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

REPLACING = {"strict": "backslashreplace", "surrogateescape": "backslashreplace"}  # for what an encoding cannot say
BAR_SETTINGS: dict[type, tuple[str, ...]] = {
    int: ("NCOLS", "NROWS", "POSITION", "INITIAL", "UNIT_DIVISOR"),
    float: ("MININTERVAL", "MAXINTERVAL", "MINITERS", "SMOOTHING", "DELAY", "TOTAL"),
}


class Lossy(io.RawIOBase):
    """A descriptor to write to, whose errors are kept instead of raised.

    Attributes:
        lost: why something could not be written, at first; None: nothing was lost, or only what a terminal that was
            closed would have shown.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._terminal = os.isatty(descriptor)
        self.lost: OSError | None = None

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether somebody watches."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "ReadableBuffer") -> int:
        """Write all, or lose what is left, and return the length of the data."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # whoever has the other end made it so
                select.select([], [self._descriptor], [])
            except OSError as error:
                gone = self._terminal and error.errno in (errno.EIO, errno.ENXIO)
                self.lost = self.lost or (None if gone else error)
                break
        return size


def guard_streams() -> None:
    """Let nothing that is printed from now on fail, and no file be opened in the place of a stream that is closed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def _guarded(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed when the program was started
        return _lossy(os.open(os.devnull, os.O_WRONLY), "utf-8", "strict")
    if isinstance(stream.buffer, Lossy):
        return stream
    stream.flush()
    return _lossy(stream.fileno(), stream.encoding, stream.errors or "strict")


def _lossy(descriptor: int, encoding: str, errors: str) -> TextIO:
    """Return a stream without a buffer, as of ``python -u``: a signal's handler may print while something prints."""
    raw: Any = Lossy(descriptor)
    return io.TextIOWrapper(raw, encoding, REPLACING.get(errors, errors), write_through=True)


def output_lost() -> OSError | None:
    """Return why something that was printed on stdout has not arrived, None if all has."""
    raw = getattr(sys.stdout, "buffer", None)
    return raw.lost if isinstance(raw, Lossy) else None


def guard_progress_bars() -> None:
    """Forget settings of tqdm that are no numbers: it reads them when it is imported, and a bar may cost nothing."""
    for number, names in BAR_SETTINGS.items():
        for name in names:
            value = os.environ.get(f"TQDM_{name}")
            try:
                number(value or 0)
            except ValueError:
                value = ""
            if value == "":
                del os.environ[f"TQDM_{name}"]
