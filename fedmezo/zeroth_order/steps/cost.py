"""What a kind of step costs, in losses."""

from fedmezo.zeroth_order.estimators import Estimator
from fedmezo.zeroth_order.steps import Round, StepRule, lanes_of


def lanes_of_steps(estimator: Estimator, rule: type[StepRule], queries: int, steps: int) -> list[int]:
    """Return how many lanes each step of a client's round has, [H], where all losses are finite."""
    keys = [range(first + 1, first + 1 + queries) for first in range(0, steps * queries, queries)]
    kind = rule(Round(keys, mu=1.0, rate=1.0, share=1.0 / queries))
    found = []
    for step, own in enumerate(keys):
        lanes = lanes_of(estimator.lanes(own, 1.0), kind.lanes(step))
        kind.scalars(step, [0.0] * queries, dict.fromkeys(lanes, 0.0))
        found.append(len(lanes))
    return found
