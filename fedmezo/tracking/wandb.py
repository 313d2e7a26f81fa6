"""Weights & Biases: the metrics of every round, offline unless ``wandb.online_track`` says otherwise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmezo.ledger.records import EvaluationRecord
from fedmezo.tracking import Callback, RoundReport
from fedmezo.tracking.metrics import metrics_row


class WandbLog(Callback):
    """Logs rounds and evaluations, counted in rounds done.

    Args:
        folder: of the run; wandb's own files go in there.
        config: shown beside the run.
        project, user: '' for wandb's defaults.
        online: send to the service, which asks for an account.
        clients: also log every client's loss and learning rate.
    """

    def __init__(
        self, folder: Path, config: Mapping[str, Any], *, project: str, user: str, online: bool, clients: bool
    ) -> None:
        import wandb

        self._clients = clients
        self._run: Any = wandb.init(
            project=project or "fedmezo",
            entity=user or None,
            name=folder.name,
            dir=str(folder),
            config=dict(config),
            mode="online" if online else "offline",
        )

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
        """Log the losses before training; later ones are in their round's metrics."""
        if record.rounds_done == 0:
            self._run.log({f"{split}_loss": loss for split, loss in record.losses.items()}, step=0)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
