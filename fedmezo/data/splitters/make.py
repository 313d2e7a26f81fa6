"""From a splitter's name and arguments in the configuration to the splitter."""

import inspect
from collections.abc import Mapping

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.text import listing, nearest
from fedmezo.data.splitters import registry
from fedmezo.data.splitters.splitter import Splitter


def make_splitter(name: str, arguments: Mapping[str, object]) -> Splitter:
    """Return the splitter of a name (an empty name is iid).

    Raises:
        ConfigurationError: no such splitter, or it takes no such argument, or not that value.
    """
    try:
        splitter = registry[name or "iid"]
    except KeyError:
        known = registry.names()
        raise ConfigurationError(
            f"data.splitter = {name}: allowed are {listing(known)}{nearest(name, known)}"
        ) from None
    allowed = inspect.signature(splitter).parameters
    for argument in arguments:
        if argument not in allowed:
            hint = nearest(argument, allowed)
            raise ConfigurationError(
                f"data.splitter_args: {name} takes no {argument}; allowed: {listing(allowed)}{hint}"
            )
    return splitter(**arguments)
