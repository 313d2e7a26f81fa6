"""From ``callbacks`` to the callbacks."""

from fedmezo.core.errors import ConfigurationError
from fedmezo.core.extensions import culprit, defined_at
from fedmezo.reporting.callbacks import Callback, RunContext, registry
from fedmezo.reporting.dispensable import Dispensable

ALWAYS = ("metrics_file", "loss_plot", "progress_bar")  # a run without its metrics is none: these may fail it


def make_callback(name: str, run: RunContext) -> Callback:
    """Return the callback of a registered name; what it is told later costs the run nothing where it fails.

    Raises:
        ConfigurationError: it cannot be made with a run, or is no :class:`Callback`; the message names file and line.
    """
    kind = registry[name]
    try:
        callback = kind(run)
    except TypeError as error:
        raise ConfigurationError(f"{culprit(error) or defined_at(kind)}\n    callback {name}: {error}") from error
    if not isinstance(callback, Callback):
        raise ConfigurationError(f"{defined_at(kind)}\n    callback {name} is no Callback")
    return callback if name in ALWAYS else Dispensable(name, callback)
