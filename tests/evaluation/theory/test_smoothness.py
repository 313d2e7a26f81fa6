import numpy as np
import pytest
import torch

from fedmezo.evaluation.theory.landscape import Landscape
from fedmezo.evaluation.theory.smoothness import secant_smoothness
from tests.evaluation.theory.least_squares import Rows, least_squares


def test_of_a_quadratic_it_is_the_curvature_along_the_path() -> None:
    size = 4
    landscape = Landscape(least_squares(size))
    batches = [[Rows(torch.diag(torch.tensor([2.0, 1.0, 1.0, 1.0])), torch.ones(size)) for _ in range(3)]]
    point, move = torch.zeros(size), torch.tensor([3.0, 0.0, 4.0, 0.0])  # its Hessian is diag(1, 1/4, 1/4, 1/4)
    before, after = (
        torch.stack([torch.stack([landscape.gradient(at, batch) for batch in own]) for own in batches])  # type: ignore[arg-type]
        for at in (point, point + move)
    )
    found = secant_smoothness(before, after, np.ones(1), landscape.distance(point, point + move))
    assert found.value == pytest.approx(np.hypot(3.0, 1.0) / 5.0, rel=1e-5)
    assert found.error == pytest.approx(0.0, abs=1e-6) and found.samples == 3
