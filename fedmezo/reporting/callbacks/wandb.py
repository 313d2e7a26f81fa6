"""Weights & Biases: the metrics of every round, offline unless ``wandb.online_track`` says otherwise."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedmezo.core.errors import ConfigurationError, FedmezoError, ResourceError
from fedmezo.core.log import LOG
from fedmezo.ledger.records import EvaluationRecord
from fedmezo.reporting.callbacks import Callback, RoundReport, RunContext, register
from fedmezo.reporting.metrics import evaluated, metrics_row

TIMEOUT = 30  # seconds to wait for the service


def check_usable(*, online: bool) -> None:
    """Make sure that wandb can be used, and if ``online`` its service, asking the user nothing.

    Raises:
        ConfigurationError: wandb finds no account's key.
        ResourceError: wandb refuses its settings, or the service cannot be reached, or refuses the key.
    """
    import wandb

    with _explained(online=online):
        wandb.setup(wandb.Settings(silent=True))
        if online and not wandb.login(prompt=False):
            raise ConfigurationError(
                "wandb.online_track = True\n    wandb has no account's key: set WANDB_API_KEY, or run wandb login; "
                "with False everything is kept here"
            )


@contextmanager
def _explained(*, online: bool) -> Iterator[None]:
    try:
        yield
    except FedmezoError:
        raise
    except Exception as error:  # of its environment, its files, its service
        key = "wandb.online_track" if online else "wandb.use"
        hint = "everything is kept here, to be sent later" if online else "it is left out"
        raise ResourceError(f"{key} = True\n    {error}\n    with False {hint}") from error


class WandbLog(Callback):
    """Logs rounds and evaluations, counted in rounds done.

    Args:
        folder: of the run; wandb's own files go in there.
        config: shown beside the run.
        project: '' for wandb's defaults.
        user: likewise.
        online: send to the service, which asks for an account.
        clients: also log every client's loss and learning rate.
    """

    def __init__(
        self, folder: Path, config: Mapping[str, Any], *, project: str, user: str, online: bool, clients: bool
    ) -> None:
        import wandb

        self._clients = clients
        self._online = online
        earlier = folder / "wandb" / "latest-run"
        with _explained(online=online):
            self._run: Any = wandb.init(
                project=project or "fedmezo",
                entity=user or None,
                name=folder.name,
                id=earlier.resolve().name.rpartition("-")[2] if earlier.exists() else None,  # a run that goes on
                resume="allow" if online else None,
                dir=str(folder),
                config=dict(config),
                mode="online" if online else "offline",
                settings=wandb.Settings(silent=True, console="off", init_timeout=TIMEOUT),
            )
        if online:
            LOG.info(f"wandb: {self._run.url}")

    def after_round(self, report: RoundReport) -> None:
        """Log the round's metrics."""
        row = metrics_row(report)
        clients = row.pop("clients")
        if self._clients:
            for client in clients:
                name = f"client_{client['client']}"
                row |= {f"{name}/{key}": client[key] for key in ("loss", "learning_rate")}
        self._run.log(row, step=report.record.round_index + 1)

    def after_evaluation(self, record: EvaluationRecord, initial: EvaluationRecord) -> None:
        """Log the results before training; later ones are in their round's metrics."""
        if record.rounds_done == 0:
            self._run.log(evaluated(record), step=0)

    def close(self) -> None:
        """Finish the run, and say how to send what was kept here."""
        folder = Path(self._run.dir).parent
        self._run.finish()
        if not self._online:
            LOG.info(f"wandb: kept here; with an account: wandb sync {shlex.quote(str(folder))}")


@register("wandb")
def for_run(run: RunContext) -> WandbLog:
    """Return the callback of a run, as its section ``wandb`` says."""
    options = run.settings["wandb"]
    return WandbLog(
        run.folder,
        run.settings,
        project=options["name_project"],
        user=options["name_user"],
        online=options["online_track"],
        clients=options["client_train_info"],
    )
