"""What was found at one point of a run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fedmezo.evaluation.theory.comparison import Compared
from fedmezo.evaluation.theory.curvature import Curvature
from fedmezo.evaluation.theory.descent import Descent
from fedmezo.evaluation.theory.heterogeneity import Gradients, measured
from fedmezo.evaluation.theory.measured import Measured
from fedmezo.evaluation.theory.step_condition import StepCondition, step_condition
from fedmezo.evaluation.theory.variance import Variance


@dataclass(frozen=True)
class Chosen:
    """What a run's configuration chose: the rate, H local steps, N clients a round, Q queries, d parameters.

    ``used``: the lowest and the highest rate of its clients, as a strategy and a scheduler made them of that;
    ``scaled``: whether the rate is not of projected gradients, but of what ``zo.normalise`` makes of them.
    """

    rate: float
    used: tuple[float, float]
    steps: int
    clients: int
    queries: int
    dimension: int
    scaled: bool = False


@dataclass(frozen=True)
class Spread:
    """Gradients at a point: of batches within clients, and of clients.

    Args:
        squared_norm: ||grad f||^2.
        batch_variance: E ||grad f_b - grad f_i||^2, mean over clients.
        batch_factor: its ratio to ||grad f||^2: c_g if sigma_g is 0, which is the largest that c_g can be here.
        client_variance: ||grad f_i - grad f||^2, mean over clients.
        client_factor: its ratio to ||grad f||^2: c_h if sigma_h is 0.
        client_distances: ||grad f_i - grad f||^2 of each client.
    """

    squared_norm: Measured
    batch_variance: Measured
    batch_factor: Measured
    client_variance: Measured
    client_factor: Measured
    client_distances: tuple[Measured, ...]


@dataclass(frozen=True)
class Findings:
    """What was found after so many rounds.

    Args:
        rounds_done: the point.
        spread: of gradients.
        curvature: of the mean loss of some examples.
        smoothness: along the path since the point before; None for the first.
        variance: of the run's estimates; None where it has none.
        condition: the step condition with d, and with the effective rank in its place; None likewise, or
            where the gradient is not told from zero.
        effective: likewise.
        descent: the local quadratic model of a round; None likewise.
        compared: blocks beside whole directions; None where nothing is divided into blocks.
    """

    rounds_done: int
    spread: Spread
    curvature: Curvature
    smoothness: Measured | None
    variance: Variance | None
    condition: StepCondition | None
    effective: StepCondition | None
    descent: Descent | None
    compared: Compared | None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        found = asdict(self)
        for name, condition in (("condition", self.condition), ("effective", self.effective)):
            if condition is not None:
                found[name] |= {"binding": condition.binding, "bound": condition.bound, "ratio": condition.ratio}
        if self.compared is not None:
            for name, step in (("whole", self.compared.whole), ("divided", self.compared.divided)):
                measured = step.measured_per_forward
                found["compared"][name] |= {
                    "predicted_per_forward": asdict(step.predicted_per_forward),
                    "measured_per_forward": None if measured is None else asdict(measured),
                }
        if self.descent is not None:
            found["descent"] |= {"best": self.descent.best, "edge": self.descent.edge}
        return found


def spread(gradients: Gradients) -> Spread:
    """Return the spread of gradients at a point."""

    def of(statistic: Callable[[Gradients], float]) -> Measured:
        return measured(lambda points: statistic(points[0]), [gradients])

    return Spread(
        of(lambda each: each.squared_norm),
        of(lambda each: each.batch_variance),
        of(lambda each: _share(each.batch_variance, each.squared_norm)),
        of(lambda each: each.client_variance),
        of(lambda each: _share(each.client_variance, each.squared_norm)),
        tuple(of(lambda each, i=i: float(each.client_distances[i])) for i in range(len(gradients.weights))),  # type: ignore[misc]
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else float("nan")


def conditions(
    chosen: Chosen, found: Spread, curvature: Curvature
) -> tuple[StepCondition, StepCondition] | tuple[None, None]:
    """Return the step condition with d, and with the effective rank in its place.

    c_g is taken with sigma_g = 0, as at one point the two cannot be told apart: the strictest reading.
    """
    if not found.squared_norm.positive:
        return None, None
    with_d, with_r = (
        step_condition(
            rate=chosen.rate,
            dimension=dimension,
            smoothness=curvature.norm,
            batch_factor=max(0.0, found.batch_factor.value),
            steps=chosen.steps,
            clients=chosen.clients,
        )
        for dimension in (float(chosen.dimension), max(1.0, curvature.rank.value))
    )
    return with_d, with_r
