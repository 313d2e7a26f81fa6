import math
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from fedmezo.reporting.callbacks.loss_plot import LossPlot
from tests.ledger.made import evaluation
from tests.reporting.reports import UNTRAINED, make_report

pytestmark = pytest.mark.pictures
ROUNDS = [make_report(index) for index in range(3)]
BEFORE = evaluation(0, val=2.0, test=2.5)


def pixels(path: Path) -> NDArray[np.float32]:
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    return np.asarray(matplotlib.image.imread(path))


def test_a_picture_of_every_kind_of_loss_is_drawn(tmp_path: Path) -> None:
    plot = LossPlot(tmp_path / "loss.png", ROUNDS[:2], [BEFORE])
    plot.after_round(ROUNDS[2])
    plot.after_evaluation(evaluation(3, val=1.5, test=2.0), BEFORE)
    plot.close()
    picture = pixels(plot.path)
    assert picture.shape == (540, 960, 4)
    grey, blue, orange = (0.7, 0.7, 0.7), (0x1F / 255, 0x77 / 255, 0xB4 / 255), (1.0, 0x7F / 255, 0x0E / 255)
    for colour in (grey, blue, orange):  # train, val, test
        assert (np.abs(picture[..., :3] - colour).max(axis=-1) < 0.02).sum() > 50


def test_what_was_observed_live_and_what_was_read_back_look_the_same(tmp_path: Path) -> None:
    live = LossPlot(tmp_path / "live.png", [], [])
    live.after_evaluation(BEFORE, BEFORE)
    for report in ROUNDS:
        live.after_round(report)
    live.close()
    LossPlot(tmp_path / "past.png", ROUNDS, [BEFORE]).close()
    LossPlot(tmp_path / "less.png", ROUNDS[:1], [BEFORE]).close()
    assert np.array_equal(pixels(tmp_path / "live.png"), pixels(tmp_path / "past.png"))
    assert not np.array_equal(pixels(tmp_path / "live.png"), pixels(tmp_path / "less.png"))


def test_losses_that_are_not_numbers_leave_a_gap(tmp_path: Path) -> None:
    rounds = [ROUNDS[0], make_report(1, (UNTRAINED,)), ROUNDS[2]]
    LossPlot(tmp_path / "loss.png", rounds, [evaluation(0, val=math.nan)]).close()
    LossPlot(tmp_path / "whole.png", ROUNDS, [evaluation(0, val=math.nan)]).close()
    assert not np.array_equal(pixels(tmp_path / "loss.png"), pixels(tmp_path / "whole.png"))


def test_nothing_to_see_means_no_picture(tmp_path: Path) -> None:
    LossPlot(tmp_path / "loss.png", [], []).close()
    assert list(tmp_path.iterdir()) == []
