"""Learning-rate strategies: each client's rate, as a pure function of what the server has seen.

Source: Ling et al. (KDD 2024), section 6: clients whose signal lies above the mean get a larger rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isclose
from typing import Protocol

from fedmezo.core.registry import Registry

ROUNDING = 1e-12  # of signals, relative


@dataclass(frozen=True)
class Observation:
    """What the server saw of one client in one round.

    Args:
        round_index: where.
        client: likewise.
        train_loss: mean over the client's steps, by their examples; NaN where no step was finite.
        examples: trained on.
        update_distance: sum over parameter tensors of || Delta_i - mean_j Delta_j ||_2, for strategies that ask for it.
    """

    round_index: int
    client: int
    train_loss: float
    examples: int
    update_distance: float | None = None


@dataclass(frozen=True)
class History:
    """Everything a strategy may look at when it plans a round.

    Args:
        next_round: the round, from 0 on.
        seed: of the run.
        observations: of earlier rounds.
        total_rounds: ``federate.total_round_num``; a run that goes on may have been given more.
    """

    next_round: int
    seed: int
    observations: Sequence[Observation] = ()
    total_rounds: int = 0

    def window(self, rounds: int) -> list[Observation]:
        """Return the observations of the last ``rounds`` rounds before the next one."""
        return [row for row in self.observations if row.round_index >= self.next_round - rounds]


class Strategy(Protocol):
    """The contract of a strategy. ``needs_update_distance`` asks the server to measure it."""

    needs_update_distance: bool

    def rates(self, history: History, clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
        """Return the learning rate of each of ``clients`` for the next round, within base +- half_width."""
        ...


def spread(signals: Mapping[int, float], clients: Sequence[int], base: float, half_width: float) -> dict[int, float]:
    """Return base + half_width * d_i / max_j |d_j|, with d_i = s_i - mean_j s_j over the clients that have a signal.

    A client without a signal gets ``base``; so does everyone where all signals are equal, up to the rounding of how
    they were computed: what is left of that is no signal (the update distances of two clients, for one, are equal).
    """
    if not signals or isclose(min(signals.values()), max(signals.values()), rel_tol=ROUNDING, abs_tol=0.0):
        return dict.fromkeys(clients, base)
    mean = fsum(signals.values()) / len(signals)
    widest = max(abs(signal - mean) for signal in signals.values())
    return {
        client: base + half_width * (signals[client] - mean) / widest if client in signals else base
        for client in clients
    }


registry: Registry[type[Strategy]] = Registry(
    "learning-rate strategy", __name__, needs=("rates", "needs_update_distance")
)
register = registry.register
