"""What would otherwise be noticed only after loading, or at the end."""

from pathlib import Path

from yacs.config import CfgNode

from fedmezo.assembly.answers import check_text_metrics
from fedmezo.assembly.callbacks import TRACKERS, callback_names
from fedmezo.assembly.classification import asked_task
from fedmezo.core.files import check_folder
from fedmezo.core.installed import check_installed
from fedmezo.data.prompts.file import SUFFIXES, read_template
from fedmezo.reporting.callbacks.wandb import check_usable

NEEDED = {"flower": {"flwr": "flower"}, "flower_simulation": {"flwr": "flower-sim", "ray": "flower-sim"}}


def preflight(cfg: CfgNode) -> None:
    """Find at once what would be noticed only after loading, or at the end."""
    check_installed(f"engine.type = {cfg.engine.type}", NEEDED.get(cfg.engine.type, {}))
    told = callback_names(cfg)
    for tracker in TRACKERS:
        if tracker in told:
            check_installed(f"{tracker}.use = True", {tracker: tracker})
    if "wandb" in told:
        check_usable(online=cfg.wandb.online_track)
    if cfg.data.prompt.lower().endswith(SUFFIXES):
        read_template(Path(cfg.data.prompt))
    check_text_metrics(cfg, asked_task(cfg))
    if cfg.federate.save_to:
        check_folder(f"federate.save_to = {cfg.federate.save_to}", Path(cfg.federate.save_to))
