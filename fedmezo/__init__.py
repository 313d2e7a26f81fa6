"""FedMeZO: federated fine-tuning of large language models without backpropagation.

As a library::

    import fedmezo

    run = fedmezo.run("quickstart", {"federate.total_round_num": 5})
    run.frame()[["train_loss", "test_loss"]]
    run.model(3).generate("How many legs have 3 cats?")

Importing it is fast: torch is imported by what needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from fedmezo.core.errors import (
    ClientError,
    ConfigurationError,
    DivergedError,
    FedmezoError,
    OutOfMemoryError,
    ResourceError,
    SavedError,
)
from fedmezo.core.version import __version__

if TYPE_CHECKING:
    from fedmezo.commands.library import Run, TrainedModel, load_config, open_run, run

__all__ = [
    "ClientError",
    "ConfigurationError",
    "DivergedError",
    "FedmezoError",
    "OutOfMemoryError",
    "ResourceError",
    "Run",
    "SavedError",
    "TrainedModel",
    "__version__",
    "load_config",
    "open_run",
    "run",
]


def __dir__() -> list[str]:
    """Return the names of the library, imported or not."""
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # to a type checker it would mean that there is every name

    def __getattr__(name: str) -> object:
        """Return what of the library is not imported yet."""
        if name in __all__:
            return getattr(import_module("fedmezo.commands.library"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
