"""Estimators of the user's own."""

from pathlib import Path

import pytest

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import import_extensions
from fedmezo.zeroth_order.estimators import Estimator, is_symmetric, mirrored
from fedmezo.zeroth_order.estimators.make import make_estimator
from tests.guides.test_extending import blocks

SOURCE = """
from fedmezo.zeroth_order.estimators import Lane, Projection, register
@register("mine")
class Mine:
    def lanes(self, keys, mu):
        return [Lane(key, mu) for key in keys]
    def projections(self, losses, mu):
        return [Projection(loss / mu, loss) for loss in losses]
"""
pytestmark = pytest.mark.usefixtures("nothing_of_users_stays")


def made(folder: Path, source: str, name: str = "mine") -> Estimator:
    path = folder / "own.py"
    path.write_text(source, encoding="utf-8")
    import_extensions([str(path)])
    return make_estimator(name)


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("return [Lane(key, mu) for key in keys]", "return None", 5, "lanes returned None for the keys"),
        ("[Lane(key, mu) for key in keys]", "[]", 5, "lanes returned []"),
        ("Lane(key, mu)", "(key, mu)", 5, "expected a list of Lane(key, scale)"),
        ("Lane(key, mu)", "Lane(key + 9, mu)", 5, "of these keys"),
        ("Lane(key, mu)", "Lane(key, mu / 0.0 if mu < 0 else float('nan'))", 5, "finite numbers as scales"),
        ("return [Projection(loss / mu, loss) for loss in losses]", "return losses[0]", 7, "projections returned 1.0"),
        ("in losses]", "in losses[:1]]", 7, "for 3 directions"),
        ("Projection(loss / mu, loss)", "loss / mu", 7, "expected a list of Projection(gradient, loss)"),
        ("loss / mu", "'steep'", 7, "of finite numbers"),
        ("    def lanes(", "    def __init__(self, order): ...\n    def lanes(", 5, "missing 1 required"),
    ],
)
def test_an_answer_that_does_not_do_is_told_with_its_line(
    before: str, after: str, line: int, words: str, tmp_path: Path
) -> None:
    assert before in SOURCE
    with pytest.raises(ConfigurationError) as caught:
        made(tmp_path, SOURCE.replace(before, after))
    assert words in str(caught.value) and f"{tmp_path / 'own.py'}:{line}\n" in str(caught.value)


def test_what_a_class_lacks_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"own\.py:3\n.*gradient estimator 'mine' has no projections"):
        made(tmp_path, SOURCE.replace("projections(", "found("))


def test_the_guides_estimator_has_a_bias_of_the_fourth_order(tmp_path: Path) -> None:
    """Exact on polynomials of the fourth degree; on the fifth power the error is -4 mu^4."""
    estimator = made(tmp_path, blocks("A gradient estimator", "python")[0], "four-point")
    assert is_symmetric(estimator)
    assert mirrored(estimator.lanes([7, 8], 0.1)) == [(0, 1), (2, 3), (4, 5), (6, 7)]
    for mu in (0.1, 0.2):
        lanes = estimator.lanes([7], mu)
        for power, slope in ((1, 1.0), (2, 0.0), (3, 0.0), (4, 0.0), (5, -4.0 * mu**4)):
            (found,) = estimator.projections([lane.scale**power for lane in lanes], mu)
            assert found.gradient == pytest.approx(slope, abs=1e-12)
