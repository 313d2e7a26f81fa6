"""The central difference on functions whose derivative is known."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmezo.zeroth_order.directions import direction
from fedmezo.zeroth_order.estimators import central_difference


@given(key=st.integers(0, 2**63 - 1), mu=st.floats(1e-3, 1.0))
@settings(max_examples=40, deadline=None)
def test_it_is_exact_on_a_quadratic(key: int, mu: float) -> None:
    matrix = torch.diag(torch.arange(1.0, 9.0, dtype=torch.float64))
    point, z = direction(key, 0, 8), direction(key, 8, 16)

    def loss(at: torch.Tensor) -> float:
        return (0.5 * at.double() @ matrix @ at.double()).item()

    exact = (matrix @ point.double() @ z.double()).item()
    found = central_difference(loss, point, z, mu)
    assert abs(found.gradient - exact) < 1e-4 * (1 + abs(exact)) / mu
    assert found.loss == loss(point + z * mu)


def test_its_bias_shrinks_with_the_square_of_mu() -> None:
    point, z = torch.tensor([0.3], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)

    def error(mu: float) -> float:
        return abs(central_difference(lambda at: at.item() ** 3, point, z, mu).gradient - 3 * 0.3**2)

    assert 3.9 < error(0.2) / error(0.1) < 4.1
