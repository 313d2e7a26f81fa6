"""Loading: files and command line to one checked, frozen tree."""

from collections.abc import Sequence
from pathlib import Path

from yacs.config import CfgNode

from fedmezo.config.check import check
from fedmezo.config.files import read_file
from fedmezo.config.overrides import read_overrides
from fedmezo.config.registered import check_names
from fedmezo.config.schema import DEFAULTS, earlier
from fedmezo.config.tree import frozen_tree
from fedmezo.core.documents.problems import Problems


def defaults() -> CfgNode:
    """Return the configuration that nobody has set anything of."""
    return frozen_tree(DEFAULTS)


def load(path: Path, overrides: Sequence[str] = (), *, recorded: bool = False) -> CfgNode:
    """Return the configuration of a YAML file, complete with defaults.

    ``_base_`` in a file names files, relative to it, that it builds on. Later values win: bases in their
    order, the file, the command line. Mappings are merged, lists replaced.

    Args:
        path: the YAML file.
        overrides: ``key value key value ...``, each value in YAML.
        recorded: the file is that of a run: what it lacks counts as what its version did.

    Returns:
        A frozen tree; lists in it are tuples, mappings within lists plain dicts.

    Raises:
        ConfigurationError: something is wrong; the message lists everything that is.
    """
    problems = Problems()
    settings = read_file(path, problems) | read_overrides(overrides, problems)
    values = DEFAULTS | (earlier() if recorded else {}) | {name: setting.value for name, setting in settings.items()}
    check_names(values, settings, problems)
    check(values, settings, problems)
    problems.raise_if_any()
    return frozen_tree(values)
