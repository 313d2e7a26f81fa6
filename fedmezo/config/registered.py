"""Names that have to be registered, by the package or by the configuration's own extensions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmezo.config.names import clashes, fault
from fedmezo.config.schema import EXTENSIONS, KEYS
from fedmezo.config.settings import Settings
from fedmezo.core.documents.problems import Problems


def check_names(values: Mapping[str, Any], settings: Settings, problems: Problems) -> None:
    """Note every name that nothing registers, and every name in an extension that is taken.

    Args:
        values: the values of all keys.
        settings: those that were set.
        problems: what was found so far; takes the mistakes.
    """
    if problems.concern(EXTENSIONS):
        return
    extensions = values[EXTENSIONS]
    faults = [wrong for path in extensions if (wrong := fault(Path(path)))]
    for wrong in faults or clashes(extensions):
        problems.reject(settings[EXTENSIONS].node, EXTENSIONS, wrong)
    if faults:
        return  # a file that cannot be read may hold any name
    for name, setting in settings.items():
        if name in KEYS and not problems.concern(name):
            objection = KEYS[name].kind.objection(setting.value, extensions)
            if objection:
                problems.reject(setting.node, name, objection)
