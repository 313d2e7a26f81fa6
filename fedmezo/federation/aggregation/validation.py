"""What is checked of an aggregation rule's answer before anybody relies on it."""

from collections.abc import Mapping

from torch import Tensor

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import defined_at
from fedmezo.federation.aggregation import Rule, State


def checked_state(rule: Rule, start: Tensor) -> State:
    """Return a rule's state before the first round, in memory of its own; ``start`` [d] are the initial parameters.

    Raises:
        ConfigurationError: it is no mapping of names to tensors, or there is one although the rule declares none.
    """
    state = rule.init(start)
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise _wrong(rule.init, f"init returned {type(state).__name__}", "a mapping of names to tensors")
    if bool(state) != rule.stateful:
        raise _wrong(rule.init, f"init returned {list(state)}", f"what stateful = {rule.stateful} says")
    return _apart(state, start)


def checked_result(rule: Rule, found: object, start: Tensor, state: State) -> tuple[Tensor, State]:
    """Return the parameters [d] and the state after a round, each in memory of its own.

    Raises:
        ConfigurationError: they are not of the shapes that they had before; the message names file and line.
    """
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Tensor)):
        raise _wrong(rule.apply, f"apply returned {type(found).__name__}", "a tensor of parameters and a state")
    point, after = found
    if point.shape != start.shape or not point.is_floating_point():
        shape = f"apply returned parameters {list(point.shape)} of {point.dtype}"
        raise _wrong(rule.apply, shape, f"numbers of shape {list(start.shape)}")
    if _forms(after) != _forms(state):
        raise _wrong(rule.apply, f"apply returned the state {_forms(after)}", f"one like {_forms(state)}")
    return point.detach(), _apart(after, start, point)


def _forms(state: object) -> dict[str, str]:
    if not isinstance(state, Mapping):
        return {type(state).__name__: ""}
    return {
        str(name): f"{list(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        for name, value in state.items()
    }


def _apart(state: State, *others: Tensor) -> State:
    """Return a state that shares memory with nothing: parameters are moved in place, and files hold a tensor once."""
    taken = {other.untyped_storage().data_ptr() for other in others}
    apart: dict[str, Tensor] = {}
    for name, value in state.items():
        shared = value.untyped_storage().data_ptr() in taken
        apart[name] = value.detach().clone() if shared else value.detach()
        taken.add(apart[name].untyped_storage().data_ptr())
    return apart


def _wrong(method: object, what: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f"{defined_at(method)}\n    {what}\n    expected {expected}")  # type: ignore[arg-type]
