"""Where downloaded and derived files are kept between runs."""

import os
from pathlib import Path


def cache_folder(setting: str = "") -> Path:
    """Return the cache folder: the setting, else ``$FEDMEZO_CACHE``, else ``fedmezo`` in the user's cache folder."""
    chosen = setting or os.environ.get("FEDMEZO_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fedmezo"
