"""The step-size condition of the analysis, next to a chosen rate.

    eta <= min( 1 / (3 H L sqrt(c_g d)),  N / (3 c_g H L),  1 / H^2 )

with H local steps, N clients, smoothness L and d trainable parameters. It is sufficient: below it convergence is
proven. It is not necessary: it is for the worst function of that smoothness, which is as curved in all d directions as
in the steepest. Where the Hessian has an effective rank r, r takes the place of d in the rate of convergence; the
second version of the condition puts it there too.
"""

import math
from dataclasses import dataclass
from typing import Literal

Term = Literal["dimension", "clients", "horizon"]


@dataclass(frozen=True)
class StepCondition:
    """The three bounds on the rate.

    Args:
        terms: 1 / (3 H L sqrt(c_g d)), N / (3 c_g H L), and 1 / H^2, by what they are about.
        rate: the chosen one.
    """

    terms: dict[Term, float]
    rate: float

    @property
    def binding(self) -> Term:
        """The smallest term."""
        return min(self.terms, key=lambda name: self.terms[name])

    @property
    def bound(self) -> float:
        """The largest rate that the condition allows."""
        return self.terms[self.binding]

    @property
    def ratio(self) -> float:
        """How many times the bound the chosen rate is."""
        return self.rate / self.bound

    @property
    def satisfied(self) -> bool:
        """Whether the chosen rate meets the condition."""
        return self.rate <= self.bound


def step_condition(
    *, rate: float, dimension: float, smoothness: float, batch_factor: float, steps: int, clients: int
) -> StepCondition:
    """Return the condition.

    Args:
        rate: the chosen one, eta.
        dimension: d, or the effective rank in its place.
        smoothness: L.
        batch_factor: c_g.
        steps: H.
        clients: N that take part in a round.
    """
    curved = 3.0 * steps * smoothness
    return StepCondition(
        {
            "dimension": _inverse(curved * math.sqrt(batch_factor * dimension)),
            "clients": clients * _inverse(curved * batch_factor),
            "horizon": 1.0 / steps**2,
        },
        rate,
    )


def _inverse(value: float) -> float:
    return 1.0 / value if value else math.inf
