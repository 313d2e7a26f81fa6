import logging
import warnings
from pathlib import Path

import pytest

from fedmezo.core.log import LOG, RESULT, in_file, on_screen, progress_shown


def say_everything() -> None:
    LOG.debug("detail")
    LOG.info("progress")
    warnings.warn("odd", UserWarning, stacklevel=1)
    LOG.log(RESULT, "table")
    LOG.error("mishap")


@pytest.mark.parametrize(
    ("verbose", "err", "out"),
    [(0, ["mishap"], []), (1, ["progress", "odd", "mishap"], ["table"]), (2, ["detail", "odd", "mishap"], ["table"])],
)
def test_what_the_screen_shows(
    verbose: int, err: list[str], out: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with on_screen(verbose):
        assert progress_shown() is (verbose > 0)
        say_everything()
    LOG.info("afterwards")
    shown = capsys.readouterr()
    for word in ("detail", "progress", "odd", "table", "mishap", "afterwards"):
        expected = word in err or (verbose == 2 and word == "progress")
        assert (word in shown.err, word in shown.out) == (expected, word in out), word
    assert not progress_shown()


@pytest.mark.parametrize("verbose", [0, 1])
def test_the_file_has_everything_also_from_before_it_was_there(tmp_path: Path, verbose: int) -> None:
    path = tmp_path / "run.log"
    with on_screen(verbose):
        LOG.info("early")
        with in_file(path):
            say_everything()
        LOG.info("late")
    text = path.read_text(encoding="utf-8")
    words = ["early", "detail", "progress", "UserWarning: odd", "table", "mishap"]
    assert [text.count(word) for word in words] == [1] * len(words)
    assert sorted(words, key=text.index) == words and "late" not in text
    with on_screen(verbose), in_file(path):
        LOG.info("again")
    assert path.read_text(encoding="utf-8").startswith(text) and "again" in path.read_text(encoding="utf-8")


def test_why_a_block_was_left_is_in_the_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.log"
    with pytest.raises(RuntimeError), on_screen(1), in_file(path):
        raise RuntimeError("wrapped") from ValueError("the cause")
    text = path.read_text(encoding="utf-8")
    assert "ended by RuntimeError" in text and "Traceback" in text and "ValueError: the cause" in text
    assert capsys.readouterr() == ("", "")


def test_nothing_is_left_attached(tmp_path: Path) -> None:
    before = list(LOG.handlers), list(logging.getLogger("py.warnings").handlers), warnings.showwarning
    with on_screen(1), in_file(tmp_path / "run.log"):
        pass
    assert before == (list(LOG.handlers), list(logging.getLogger("py.warnings").handlers), warnings.showwarning)


def test_a_log_on_a_full_disk_costs_the_log_only(capsys: pytest.CaptureFixture[str]) -> None:
    with on_screen(0), in_file(Path("/dev/full")):
        LOG.info("a message that nobody will read")
    assert capsys.readouterr().err == ""
