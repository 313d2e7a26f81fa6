"""What would otherwise be noticed only after loading, or at the end."""

import tempfile
from pathlib import Path

from yacs.config import CfgNode

from fedmezo.data.prompts.file import SUFFIXES, read_template
from fedmezo.errors import ConfigurationError, ResourceError
from fedmezo.installed import check_installed
from fedmezo.tracking.wandb import check_account

NEEDED = {"flower": {"flwr": "flower"}, "flower_simulation": {"flwr": "flower-sim", "ray": "flower-sim"}}


def preflight(cfg: CfgNode) -> None:
    """Find at once what would be noticed only after loading, or at the end."""
    check_installed(f"engine.type = {cfg.engine.type}", NEEDED.get(cfg.engine.type, {}))
    for tracker in ("wandb", "tensorboard"):
        if cfg[tracker].use:
            check_installed(f"{tracker}.use = True", {tracker: tracker})
    if cfg.wandb.use and cfg.wandb.online_track:
        check_account()
    if cfg.data.prompt.lower().endswith(SUFFIXES):
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
