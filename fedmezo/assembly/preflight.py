"""What would otherwise be noticed only after loading, or at the end."""

import importlib.util
import tempfile
from pathlib import Path

from yacs.config import CfgNode

from fedmezo.data.prompts.file import SUFFIXES, read_template
from fedmezo.errors import ConfigurationError, ResourceError
from fedmezo.tracking.wandb import check_account


def preflight(cfg: CfgNode) -> None:
    """Find at once what would be noticed only after loading, or at the end."""
    for tracker in ("wandb", "tensorboard"):
        if cfg[tracker].use and importlib.util.find_spec(tracker) is None:
            raise ConfigurationError(
                f"{tracker}.use = True\n    {tracker} is not installed: pip install -e .[{tracker}]"
            )
    if cfg.wandb.use and cfg.wandb.online_track:
        check_account()
    if cfg.data.prompt.endswith(SUFFIXES):
        read_template(Path(cfg.data.prompt))
    target = Path(cfg.federate.save_to).absolute()
    above = next(path for path in (target, *target.parents) if path.exists())
    if not cfg.federate.save_to:
        return
    if not above.is_dir():
        raise ConfigurationError(f"federate.save_to = {cfg.federate.save_to}\n    expected a folder; {above} is a file")
    try:
        tempfile.TemporaryDirectory(dir=above).cleanup()
    except OSError as error:
        raise ResourceError(f"federate.save_to = {cfg.federate.save_to}\n    {above}: {error.strerror}") from error
