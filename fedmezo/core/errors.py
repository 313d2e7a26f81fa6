"""The errors a user can meet, each with the exit code of its kind.

A user's mistake is reported by its message alone; a traceback is kept for defects of the program itself.
"""


class FedmezoError(Exception):
    """Root of the project's errors. ``exit_code`` is what the process ends with."""

    exit_code = 1


class ConfigurationError(FedmezoError):
    """The configuration is wrong. The message lists every mistake that was found."""

    exit_code = 2


class ResourceError(FedmezoError):
    """Data or a model cannot be had: missing, malformed, or out of reach."""

    exit_code = 3


class OutOfMemoryError(ResourceError):
    """There is not enough memory. The message says for what, and what takes less."""


class MalformedError(ResourceError):
    """Bytes that are no record or message of this version."""


class ModelUnavailableError(ResourceError):
    """There is no such model in reach; the runner adds a command that works without one."""


class FaultyModelError(ModelUnavailableError):
    """A model that is there, but of which something is wrong."""


class DivergedError(FedmezoError):
    """The run produced more non-finite losses than its limit allows."""

    exit_code = 4


class ClientError(FedmezoError):
    """A client failed. The message names round, client, step and batch."""

    exit_code = 5


class SavedError(FedmezoError):
    """What was saved or exported, read back, is not what was trained. The message names the folder and both losses."""

    exit_code = 6
