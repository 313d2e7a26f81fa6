import io
import math
import re
import sys
import time
from collections.abc import Iterator

import pytest

from fedmezo.core.log import on_screen
from fedmezo.reporting.callbacks.progress_bar import ProgressBar
from tests.ledger.made import evaluation
from tests.reporting.reports import make_report

BEFORE = evaluation(0, val=2.0, test=4.0)


@pytest.fixture(autouse=True)
def verbose(request: pytest.FixtureRequest) -> Iterator[int]:
    level = getattr(request, "param", 1)
    with on_screen(level):
        yield level


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of stderr (in the test itself: pytest takes stderr back after fixtures)."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def drive(bar: ProgressBar) -> None:
    """Let a bar of 2 rounds of 3 steps see everything there is to see."""
    bar.after_evaluation(BEFORE, BEFORE)
    bar.before_round(0, [0.25, 0.5, 0.3])
    for step in range(3):
        time.sleep(0.11)  # tqdm draws at most ten times a second
        bar.on_step(1.5 + step)
    bar.on_evaluated(8)
    bar.on_evaluated(5)
    bar.after_round(make_report(0, seconds=2.34))
    bar.after_evaluation(evaluation(1, val=1.5, test=5.0), BEFORE)
    bar.before_round(1, [0.125])
    bar.close()


def test_without_a_terminal_there_is_a_line_per_round_and_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    drive(ProgressBar([3] * 2, first_round=0))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "before training: val loss 2.0000, test loss 4.0000",
        "round 1/2: train loss 1.2500, rate 0.25 to 0.5, 2.3 s",
        "after 1 round: val loss 1.5000 (-25.00 %), test loss 5.0000 (+25.00 %)",
    ]


def test_one_rate_is_written_once_and_an_unknown_time_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar([3] * 2, first_round=1)
    bar.before_round(1, [0.25, 0.25])
    bar.after_round(make_report(1))
    assert capsys.readouterr().err == "round 2/2: train loss 1.2500, rate 0.25\n"


def test_on_a_terminal_a_bar_shows_loss_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    drive(ProgressBar([3] * 2, first_round=0))
    frames = terminal.getvalue().split("\r")
    wanted = r"round 1/2, rate 0\.25 to 0\.5 +33%\|.*\| 2/6 \[\d\d:\d\d<\d\d:\d\d, loss 2\.5000\]"
    assert any(re.search(wanted, frame) for frame in frames)
    assert any("13 examples evaluated" in frame for frame in frames)
    assert "round 2/2, rate 0.125  50%" in frames[-1]
    assert "after 1 round: val loss 1.5000 (-25.00 %), test loss 5.0000 (+25.00 %)\n" in terminal.getvalue()
    assert "train loss" not in terminal.getvalue()  # no line per round beside the bar


def test_a_resumed_run_begins_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    bar = ProgressBar([5] * 4, first_round=3)
    bar.before_round(3, [0.5])
    bar.close()
    assert re.search(r"round 4/4, rate 0.5 +75%\|.*\| 15/20 ", terminal.getvalue())


def test_a_loss_that_is_not_a_number_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    bar = ProgressBar([1] * 1, first_round=0)
    bar.on_step(math.nan)
    bar.close()
    assert "loss not finite" in terminal.getvalue()
    assert "nan" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("verbose", "bar", "rounds"), [(0, False, False), (1, True, False), (2, True, True)], indirect=["verbose"]
)
def test_how_much_is_shown_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, verbose: int, bar: bool, rounds: bool
) -> None:
    terminal = open_terminal(monkeypatch)
    drive(ProgressBar([3] * 2, first_round=0))
    shown = terminal.getvalue()
    assert ("%|" in shown, "train loss 1.2500" in shown, "val loss 1.5000" in shown) == (bar, rounds, bar)
