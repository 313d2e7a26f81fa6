"""From ``zo.estimator`` to the estimator."""

import math
from collections.abc import Sequence
from numbers import Real

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at, instantiated
from fedmezo.zeroth_order.estimators import Estimator, Lane, Projection, registry

MU = 0.5  # of the trial


def make_estimator(name: str) -> Estimator:
    """Return the estimator of a registered name, after trying it on made-up losses.

    Raises:
        ConfigurationError: it does not keep the contract of :class:`Estimator`; the message names file and line.
    """
    estimator = instantiated(registry[name])
    for keys in ([1], [2, 3, 4]):
        lanes = estimator.lanes(keys, MU)
        if not (isinstance(lanes, list) and lanes and all(_is_lane(lane, keys) for lane in lanes)):
            raise ConfigurationError(
                f"{defined_at(estimator.lanes)}\n    lanes returned {lanes} for the keys {keys}\n"
                "    expected a list of Lane(key, scale), of these keys and finite numbers as scales"
            )
        found = estimator.projections([1.0 + number for number in range(len(lanes))], MU)
        if not (isinstance(found, list) and len(found) == len(keys) and all(map(_is_projection, found))):
            raise ConfigurationError(
                f"{defined_at(estimator.projections)}\n    projections returned {found} for {len(keys)} directions\n"
                "    expected a list of Projection(gradient, loss) of finite numbers, one a direction"
            )
    return estimator


def _is_lane(lane: object, keys: Sequence[int]) -> bool:
    return isinstance(lane, Lane) and _is_number(lane.scale) and (lane.key in keys or lane.scale == 0)


def _is_projection(found: object) -> bool:
    return isinstance(found, Projection) and _is_number(found.gradient) and _is_number(found.loss)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
