"""What is checked of an aggregation rule's answer before anybody relies on it."""

from collections.abc import Mapping

from torch import Tensor

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.federation.aggregation import Rule, State


def checked_state(rule: Rule, state: object) -> State:
    """Return the state before the first round.

    Raises:
        ConfigurationError: it is no mapping of names to tensors, or there is one although the rule declares none.
    """
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise _wrong(rule.init, f"init returned {type(state).__name__}", "a mapping of names to tensors")
    if bool(state) != rule.stateful:
        raise _wrong(rule.init, f"init returned {list(state)}", f"what stateful = {rule.stateful} says")
    return state


def checked_result(rule: Rule, found: object, start: Tensor, state: State) -> tuple[Tensor, State]:
    """Return the parameters [d] and the state after a round.

    Raises:
        ConfigurationError: they are not of the shapes that they had before; the message names file and line.
    """
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Tensor)):
        raise _wrong(rule.apply, f"apply returned {type(found).__name__}", "a tensor of parameters and a state")
    point, after = found
    if point.shape != start.shape or not point.is_floating_point():
        shape = f"apply returned parameters {list(point.shape)} of {point.dtype}"
        raise _wrong(rule.apply, shape, f"numbers of shape {list(start.shape)}")
    if _shapes(after) != _shapes(state):
        raise _wrong(rule.apply, f"apply returned the state {_shapes(after)}", f"one like {_shapes(state)}")
    return point, after


def _shapes(state: object) -> dict[str, list[int]]:
    if not isinstance(state, Mapping):
        return {type(state).__name__: []}
    return {str(name): list(getattr(value, "shape", ())) for name, value in state.items()}


def _wrong(method: object, what: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f"{defined_at(method)}\n    {what}\n    expected {expected}")  # type: ignore[arg-type]
