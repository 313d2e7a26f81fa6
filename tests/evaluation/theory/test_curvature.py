import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmezo.core.directions import direction
from fedmezo.core.directions.blocks import ONE_BLOCK
from fedmezo.evaluation.theory.curvature import Curvature, Product, lanczos, measure_curvature
from fedmezo.evaluation.theory.division import Division
from fedmezo.evaluation.theory.landscape import Landscape
from fedmezo.evaluation.theory.measured import crossed_mean
from tests.evaluation.theory.least_squares import least_squares, rows

SIZE = 60


def matrix(values: NDArray[np.float64], seed: int = 3) -> Tensor:
    """Return a symmetric matrix of given eigenvalues."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    turned, _ = np.linalg.qr(draw.standard_normal((len(values), len(values))))
    return torch.from_numpy(turned * values @ turned.T).float()


def product(of: Tensor) -> Product:
    return lambda vectors: vectors @ of


def measured(of: Tensor, pairs: int = 40, steps: int = 20, signs: Tensor | None = None) -> Curvature:
    def forms(vectors: Tensor) -> Tensor:
        return ((vectors @ of).double() * vectors.double()).sum(dim=1)[None, :, None].repeat(2, 1, 1)

    return measure_curvature(
        product(of), forms, torch.ones(len(of)) if signs is None else signs, list(range(pairs)), steps
    )[0]


def starts(count: int, size: int = SIZE) -> Tensor:
    return torch.stack([direction(key, 0, size, "rademacher") for key in range(count)])


DECAYING = np.concatenate([[9.0, 4.0, 2.0], 0.5 ** np.arange(SIZE - 5), [-1.0, -3.0]])


def test_lanczos_finds_the_ends_of_the_spectrum() -> None:
    for found in lanczos(product(matrix(DECAYING)), starts(3), steps=20):
        assert found.values[-1] == pytest.approx(9.0, abs=1e-4)
        assert found.values[0] == pytest.approx(-3.0, abs=1e-4)
        assert found.weights.sum() == pytest.approx(1.0)


def test_an_eigenvalue_lies_within_the_residual_of_every_value() -> None:
    for steps in (2, 4, 8):
        (found,) = lanczos(product(matrix(DECAYING)), starts(1), steps)
        assert len(found.values) == steps
        for value, residual in zip(found.values, found.residuals, strict=True):
            assert np.abs(DECAYING - value).min() <= residual + 1e-4


def test_the_vectors_are_those_of_the_smallest_and_the_largest_value() -> None:
    of = matrix(DECAYING)
    (found,) = lanczos(product(of), starts(1), steps=20)
    assert torch.allclose(of @ found.ends[1], 9.0 * found.ends[1], atol=1e-3)
    assert torch.allclose(of @ found.ends[0], -3.0 * found.ends[0], atol=1e-3)


def test_extreme_values_are_bounds_and_an_eigenvalue_is_within_their_residuals() -> None:
    """Of few steps: inside the spectrum, whatever the vectors they begin from."""
    found = measured(matrix(DECAYING), pairs=2, steps=3)
    assert found.largest.value < 9.0 and -3.0 < found.smallest.value < -1.0
    for value, residual in (
        (found.largest.value, found.largest_residual),
        (found.smallest.value, found.smallest_residual),
    ):
        assert 0.0 < np.abs(DECAYING - value).min() <= residual


def test_a_space_that_ends_early_adds_no_values() -> None:
    """A matrix of two eigenvalues has nothing more to say after two steps."""
    (found,) = lanczos(product(matrix(np.repeat([-2.0, -5.0], [50, 10]))), starts(1), steps=6)
    assert found.values == pytest.approx([-5.0, -2.0], abs=1e-4)


def test_as_many_steps_as_dimensions_are_exact() -> None:
    values = np.array([3.0, 1.0, 0.5, -2.0])
    (found,) = lanczos(product(matrix(values)), starts(1, 4), steps=99)
    assert found.values == pytest.approx(sorted(values), abs=1e-4)


def test_traces_and_effective_rank_are_those_of_the_matrix() -> None:
    found = measured(matrix(DECAYING))
    positive = DECAYING[DECAYING > 0].sum()
    for estimate, exact in (
        (found.trace, DECAYING.sum()),
        (found.absolute_trace, np.abs(DECAYING).sum()),
        (found.rank, positive / 9.0),
        (found.stable_rank, np.square(DECAYING).sum() / 81.0),
    ):
        assert 0.0 < estimate.error < 0.2 * exact
        assert abs(estimate.value - exact) < 4.0 * estimate.error
    assert found.largest.value == pytest.approx(9.0, abs=1e-3)
    assert found.smallest.value == pytest.approx(-3.0, abs=1e-3)
    assert found.norm == found.largest.value
    assert measured(-matrix(DECAYING)).norm == pytest.approx(9.0, abs=1e-3)  # whatever the sign


def test_the_stable_rank_needs_two_steps_only() -> None:
    """Many eigenvalues near 0 are not resolved by so few, of which the trace of |H| is the sum."""
    values = np.concatenate([[-4.0, 3.0], 0.01 * np.arange(-60.0, 60.0)])
    for steps in (2, 30):
        found = measured(matrix(values), steps=steps)
        exact = np.square(values).sum() / found.norm**2
        assert abs(found.stable_rank.value - exact) < 4.0 * found.stable_rank.error < exact
    assert found.stable_rank.value <= found.absolute_trace.value / found.norm


def test_the_effective_rank_is_the_rank_of_a_projection() -> None:
    found = measured(matrix(np.repeat([2.0, 0.0], [12, SIZE - 12])))
    assert abs(found.rank.value - 12.0) < 4.0 * found.rank.error < 4.0


def test_pairs_of_vectors_cancel_what_couples_the_halves() -> None:
    """The whole Hessian of a bilinear function, such as LoRA at its beginning, is in the coupling; its trace is 0."""
    half = SIZE // 2
    of = torch.zeros(SIZE, SIZE)
    of[:half, half:] = 3.0
    of += of.T.clone()
    signs = torch.cat([torch.ones(half), -torch.ones(half)])
    assert abs(measured(of, signs=signs).trace.value) < 1e-4
    assert abs(measured(of).trace.value) > 1.0


def test_the_hessian_of_least_squares_is_measured() -> None:
    """Through the model, by differentiating twice; in each block, too."""
    size = 12
    division = Division(((0, 2, 1), (2, 9, 0), (9, size, 1)), (0, 1), 2, ONE_BLOCK)
    scorer = least_squares(size)
    batches = [rows(size, 30, seed=seed, scales=[4.0, 2.0] + [0.5] * (size - 2)) for seed in range(5)]
    hessian = torch.stack([batch.hessian() for batch in batches]).mean(dim=0).double()
    landscape, point = Landscape(scorer), torch.ones(size)
    found, traces = measure_curvature(
        lambda vectors: landscape.mean_products(point, batches, vectors),  # type: ignore[arg-type]
        lambda vectors: landscape.forms(point, batches, vectors, division),  # type: ignore[arg-type]
        torch.ones(size),
        list(range(60)),
        size,
    )
    values = torch.linalg.eigvalsh(hessian)
    assert found.largest.value == pytest.approx(float(values[-1]), rel=1e-4)
    assert found.smallest.value == pytest.approx(float(values[0]), rel=1e-2)
    assert abs(found.trace.value - float(values.sum())) < 4.0 * found.trace.error
    assert traces.shape == (5, 60, 2)
    for block, inside in enumerate(([2, 3, 4, 5, 6, 7, 8], [0, 1, 9, 10, 11])):
        own = crossed_mean(traces[:, :, block])
        assert abs(own.value - float(hessian.diagonal()[inside].sum())) < 4.0 * own.error < own.value
    assert abs(found.rank.value - float(values.sum() / values[-1])) < 4.0 * found.rank.error
    assert 0.0 < found.largest.error < 0.3 * found.largest.value  # the five samples differ
