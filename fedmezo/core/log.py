"""What the program says while it works: to the screen, and to ``run.log`` once the run has a folder.

Progress and warnings go to stderr, results to stdout; errors are printed by the runner, as they end the process.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOG = logging.getLogger("fedmezo")
RESULT = logging.WARNING + 5
SOURCES = (LOG, logging.getLogger("py.warnings"))  # the program itself, and what libraries warn of
SHOWN_FROM = (logging.ERROR, logging.INFO, logging.DEBUG)  # by ``verbose``
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"

logging.addLevelName(RESULT, "RESULT")


class Screen(logging.Handler):
    """Writes above the progress bar, if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        from tqdm import tqdm

        stream = sys.stdout if record.levelno == RESULT else sys.stderr
        tqdm.write(self.format(record), file=stream)
        stream.flush()


class Early(logging.Handler):
    """Keeps messages until there is a file."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.records.append(record)


class LogFile(logging.FileHandler):
    """A file that is left incomplete where the disk is full: what matters is told elsewhere."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose a message."""

    def close(self) -> None:
        """Close the file, written or not."""
        with suppress(OSError):
            super().close()


@contextmanager
def on_screen(verbose: int) -> Iterator[None]:
    """Show messages inside the block: none (0), progress (1), or all, tracebacks included (2 and more)."""
    screen = Screen(SHOWN_FROM[min(verbose, len(SHOWN_FROM) - 1)])
    LOG.setLevel(logging.DEBUG)
    logging.captureWarnings(True)
    try:
        with _attached(screen), _attached(Early()):
            yield
    finally:
        logging.captureWarnings(False)


def progress_shown() -> bool:
    """Return whether the screen shows progress, so that a bar may be drawn."""
    return any(isinstance(handler, Screen) and handler.level <= logging.INFO for handler in LOG.handlers)


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Append all messages to a file inside the block, those from before first; also why the block was left."""
    file = LogFile(path, encoding="utf-8")
    file.setFormatter(logging.Formatter(FORMAT))
    for early in [handler for handler in LOG.handlers if isinstance(handler, Early)]:
        while early.records:
            file.handle(early.records.pop(0))
    with _attached(file):
        try:
            yield
        except BaseException as error:
            LOG.debug("ended by %s", type(error).__name__, exc_info=True)
            raise


@contextmanager
def _attached(handler: logging.Handler) -> Iterator[None]:
    for source in SOURCES:
        source.addHandler(handler)
    try:
        yield
    finally:
        for source in SOURCES:
            source.removeHandler(handler)
        handler.close()
