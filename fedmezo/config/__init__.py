"""The configuration: every key with its default, type, range and help; loading and checking.

Nothing here imports torch or executes anything of the user's files, so that a mistake is answered at once.
"""

from fedmezo.config.help import help_config
from fedmezo.config.load import defaults, load
from fedmezo.config.schema import RESUMABLE
from fedmezo.config.tree import dump, to_dict
from fedmezo.config.unused import unused

__all__ = ["RESUMABLE", "defaults", "dump", "help_config", "load", "to_dict", "unused"]
